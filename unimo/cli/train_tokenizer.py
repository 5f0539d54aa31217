"""`unimo train-tokenizer`: learn a byte-level BPE dictionary from a user's own texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unimo.errors import InputError

SUMMARY = "learn a byte-level BPE dictionary from text files and write it as tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What to learn from, and where to write."""

    input: list[Path]
    """One or more files, each possibly .gz: .txt with a text a line, .jsonl with texts under `text` or `captions`."""
    output: Path
    """Folder that tokenizer.json is written to."""
    vocab_size: int
    """Entries of the dictionary, at least 261: 256 bytes, 5 special tokens, and merges."""
    min_frequency: int = 2
    """How often two neighbours must occur together to be merged."""
    overwrite: bool = False
    """Replace another dictionary in the output folder: models trained with it could not be used any more."""


def run(arguments: Arguments) -> int:
    """Learn, write and print the number of texts and the size of the dictionary."""
    from unimo.tokenization import TextFiles, UnimoTokenizer
    from unimo.tokenization.formats import FILE_NAME

    target = arguments.output / FILE_NAME
    if arguments.output.exists() and not arguments.output.is_dir():
        raise InputError.at(arguments.output, "is not a folder")
    if not arguments.input:
        raise InputError("input: at least one file is needed")
    texts = TextFiles(arguments.input)
    tokenizer = UnimoTokenizer.train(texts, arguments.vocab_size, arguments.min_frequency)
    if target.exists() and not arguments.overwrite and not _holds(target, tokenizer.fingerprint):
        raise InputError.at(target, "another dictionary is there already; give --overwrite to replace it")
    tokenizer.save_pretrained(arguments.output)
    blank = f" ({texts.num_blank} blank ones skipped)" if texts.num_blank else ""
    print(f"texts: {texts.num_texts}{blank}")
    print(f"vocabulary size: {tokenizer.vocab_size}")
    if tokenizer.vocab_size < arguments.vocab_size:
        print(
            f"the texts hold no more pairs that occur {arguments.min_frequency} times, "
            f"so fewer entries were learned than the {arguments.vocab_size} asked for"
        )
    print(f"fingerprint: {tokenizer.fingerprint}")
    print(f"written: {target}")
    return 0


def _holds(path: Path, fingerprint: str) -> bool:
    from unimo.tokenization import UnimoTokenizer

    try:
        return UnimoTokenizer.from_pretrained(path).fingerprint == fingerprint
    except InputError:
        return False
