"""RoBERTa's dictionary compared with ours, by string: a row of its embeddings must mean the same token here."""

from __future__ import annotations

from pathlib import Path

from unimo.errors import InputError
from unimo.files import read_json, read_lines
from unimo.tokenization.vocabulary import CLS, MASK, PAD, SEP, UNK, Vocabulary

ORDER_NAME, MERGES_NAME = "vocab.json", "merges.txt"
SPECIALS = {"<s>": CLS, "<pad>": PAD, "</s>": SEP, "<unk>": UNK, "<mask>": MASK}
"""RoBERTa's spelling -> ours; everything else is spelled the same."""


def check_same_dictionary(folder: str | Path, vocabulary: Vocabulary, source: str | Path) -> None:
    """Compare vocab.json and merges.txt of a Hugging Face folder with a dictionary of ours.

    Args:
        folder: of RoBERTa.
        vocabulary: ours.
        source: where it comes from, named in errors.

    Raises:
        InputError: a file is missing or damaged, or a token or merge rule differs; names the first.
    """
    path = Path(folder) / ORDER_NAME
    tokens = _read_order(path)
    if len(tokens) != len(vocabulary.tokens):
        raise InputError.at(path, f"{len(tokens)} entries, {source} has {len(vocabulary.tokens)}")
    different = [number for number, token in enumerate(tokens) if token != vocabulary.tokens[number]]
    if different:
        first = different[0]
        raise InputError.at(
            path,
            f"differs from {source} in {len(different)} entries, the first is number {first}: "
            f"{tokens[first]!r} here, {vocabulary.tokens[first]!r} there",
        )
    _check_merges(Path(folder) / MERGES_NAME, vocabulary, source)


def _read_order(path: Path) -> list[str]:
    values = read_json(path)
    if not isinstance(values, dict) or not all(type(number) is int for number in values.values()):
        raise InputError.at(path, "expected a JSON object of token: number")
    tokens = sorted(values, key=lambda token: values[token])
    if [values[token] for token in tokens] != list(range(len(tokens))):
        raise InputError.at(path, "its numbers do not run from 0 without gaps")
    return [SPECIALS.get(token, token) for token in tokens]


def _check_merges(path: Path, vocabulary: Vocabulary, source: str | Path) -> None:
    lines = [(number, line.rstrip("\r\n")) for number, line in read_lines(path)]
    merges = [(number, line) for number, line in lines if line and not (number == 1 and line.startswith("#version"))]
    if len(merges) != len(vocabulary.merges):
        raise InputError.at(path, f"{len(merges)} merge rules, {source} has {len(vocabulary.merges)}")
    for (number, line), pair in zip(merges, vocabulary.merges, strict=True):
        if line != " ".join(pair):
            raise InputError.at(path, f"merge {line!r}, {source} has {' '.join(pair)!r} in its place", number)
