"""Does this project compute what the original computed? One line a check, and `N passed, N failed`.

    python tests/parity/check.py --goldens DIR [--config DIR] [--dictionary DIR] [--task T]

DIR is a folder of the structure of goldens/model_a. Its fluid checkpoint is converted, and forward outputs,
gradients, training traces, hypotheses, prediction texts and the optimizer's state are compared with the original's.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.parity.checkpoint import check_checkpoints  # noqa: E402
from tests.parity.conversion import check_conversion  # noqa: E402
from tests.parity.decoding import check_decoding  # noqa: E402
from tests.parity.forward import check_forward  # noqa: E402
from tests.parity.goldens import Goldens  # noqa: E402
from tests.parity.programs import PROGRAMS, Program  # noqa: E402
from tests.parity.release import Release  # noqa: E402
from tests.parity.results import Results  # noqa: E402
from tests.parity.retrieval import check_evaluation  # noqa: E402
from tests.parity.training import check_training  # noqa: E402

Check = Callable[[Results, Release, Program, Goldens], None]


def main(arguments: list[str] | None = None) -> int:
    """Run the checks that the arguments ask for; 0 where all pass."""
    given = _parser().parse_args(arguments)
    release = Release(given.goldens, given.config or given.goldens / ".." / "config", given.dictionary)
    results = Results()
    for program in [PROGRAMS[given.task]] if given.task else PROGRAMS.values():
        with results.guard(program.name):
            goldens = Goldens.read(given.goldens / f"{program.name}.npz")
            for check in checks_of(program):
                check(results, release, program, goldens)
    print(f"{results.passed} passed, {results.failed} failed")
    return int(results.failed > 0)


def checks_of(program: Program) -> list[Check]:
    """What is compared of a program."""
    checks: list[Check] = [check_conversion, check_forward, check_training, check_checkpoints]
    if program.name in ("seq2seq", "img2txt"):
        checks.append(check_decoding)
    return [*checks, check_evaluation] if program.name == "retrieval" else checks


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    dictionary = Path(os.environ.get("UNIMO_SHARED", ROOT.parent / "shared")) / "data" / "unimo_dict"
    parser.add_argument("--goldens", type=Path, required=True, help="folder of the structure of goldens/model_a")
    parser.add_argument("--config", type=Path, help="folder of model configs; default: config beside the goldens")
    parser.add_argument("--dictionary", type=Path, default=dictionary, help="folder of the released dictionary")
    parser.add_argument("--task", choices=list(PROGRAMS), help="one program alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
