"""The command line: ``python -m unimo <verb>``, one file of this folder a verb.

A verb's module has ``SUMMARY`` (one line), a frozen dataclass ``Arguments`` whose fields are its flags (the docstring
under a field is its help), and ``run(arguments) -> int``, the exit status. A verb that reads a job's configuration
sets ``JOB = True`` and has ``run(arguments, job_argv)``: the words that are no flag of its own are handed over.
One that names its main input without a flag sets ``POSITIONAL`` to the field: `convert from-fluid FOLDER --flag value`.
``regions_extract.py`` is the verb ``regions extract`` and ``train_tokenizer.py`` is ``train-tokenizer``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from unimo.errors import InputError

USAGE_ERROR, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verb that ``argv`` names; returns the exit status.

    A user's mistake becomes one line on standard error and status 2; Ctrl-C becomes status 130; a reader of our
    output who closes the pipe early ends the program quietly. A disk without space counts as a mistake of the user's:
    the same command fails again until there is some.
    """
    from unimo.cli.verbs import run_verb

    try:
        status = run_verb(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"unimo: error: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("unimo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # what is left in the buffer must go somewhere at exit, or Python complains then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        from unimo.files import told_of_full_disk

        if (told := told_of_full_disk(error)) is None:
            raise
        print(f"unimo: error: {told}", file=sys.stderr)
        return USAGE_ERROR
