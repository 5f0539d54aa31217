"""Readers of dictionaries: the three files of the release, and the ``tokenizer.json`` of Hugging Face tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import read_json, read_lines
from unimo.tokenization.vocabulary import GPT2_END, Vocabulary, unreachable_tokens

FILE_NAME = "tokenizer.json"


def read_release(folder: str | Path) -> Vocabulary:
    """Read the released triple ``*encoder.json``, ``*vocab.bpe`` and ``*vocab.txt`` of ``folder``.

    The line order of vocab.txt gives the ids. A line is a number, which names the entry of encoder.json with that
    value, or else the spelling of a special token.

    Raises:
        InputError: a file is missing, ambiguous or malformed, or the three do not fit together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError.at(folder, "no such folder")
    encoder_path, merges_path, order_path = (
        _only(folder, f"*{end}") for end in ("encoder.json", "vocab.bpe", "vocab.txt")
    )
    encoder = _read_encoder(encoder_path)
    tokens, specials = _read_order(order_path, encoder)
    vocabulary = Vocabulary(tokens, _read_merges(merges_path), specials)
    absent = [token for token in encoder.values() if token not in vocabulary.ids]
    if absent:
        message = (
            f"{len(absent)} entries of {encoder_path.name} have no line here, the first is {absent[0]!r}; truncated?"
        )
        raise InputError.at(order_path, message)
    cut = unreachable_tokens(vocabulary, ignored=(GPT2_END,))
    if cut:
        message = f"no merge makes {len(cut)} tokens of {encoder_path.name}, the first is {cut[0]!r}; truncated?"
        raise InputError.at(merges_path, message)
    vocabulary.check(str(merges_path))
    return vocabulary


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError.at(folder, f"exactly one {pattern} is needed, found: {names}")
    return found[0]


def _read_encoder(path: Path) -> dict[str, str]:
    """Number (as vocab.txt writes it) -> token."""
    value = read_json(path)
    if not isinstance(value, dict) or not value:
        raise InputError.at(path, "expected a JSON object of token: number")
    encoder: dict[str, str] = {}
    for token, number in value.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise InputError.at(path, f"token {token!r}: expected a whole number, got {number!r}")
        if str(number) in encoder:
            raise InputError.at(path, f"tokens {encoder[str(number)]!r} and {token!r} share the number {number}")
        encoder[str(number)] = token
    return encoder


def _read_order(path: Path, encoder: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tokens: list[str] = []
    specials: list[str] = []
    lines: dict[str, int] = {}
    for number, line in read_lines(path):
        entry = line.rstrip("\r\n")
        if not entry or entry != entry.strip():
            raise InputError.at(path, f"expected one entry without spaces, got {entry!r}", number)
        if entry in lines:
            raise InputError.at(path, f"{entry!r} stands in line {lines[entry]} already", number)
        lines[entry] = number
        if entry.isdecimal():
            if entry not in encoder:
                raise InputError.at(path, f"encoder.json has no token with the number {entry}", number)
            tokens.append(encoder[entry])
        else:
            tokens.append(entry)
            specials.append(entry)
    return tuple(tokens), tuple(specials)


def _read_merges(path: Path) -> tuple[tuple[str, str], ...]:
    merges: list[tuple[str, str]] = []
    for number, line in read_lines(path):
        pieces = line.rstrip("\r\n").split(" ")
        if number == 1 and line.startswith("#version"):
            continue
        if len(pieces) != 2 or not all(pieces):
            raise InputError.at(path, f"expected two tokens and one space, got {line.rstrip()!r}", number)
        merges.append((pieces[0], pieces[1]))
    return tuple(merges)


def read_tokenizer_json(path: str | Path) -> Vocabulary:
    """Read the dictionary out of a ``tokenizer.json``, or out of the folder that holds one.

    Settings that do not change ids (truncation, padding, post-processing) are ignored; any that would change them
    (a normalizer, another pre-tokenizer, dropout, a different model) are errors.

    Raises:
        InputError: the file is missing, not JSON, or not a byte-level BPE dictionary with UNIMO's special tokens.
    """
    path = Path(path)
    if path.is_dir():
        path = path / FILE_NAME
    vocabulary = parse_tokenizer_json(read_json(path), str(path))
    vocabulary.check(str(path))
    return vocabulary


def parse_tokenizer_json(value: Any, source: str) -> Vocabulary:
    """The dictionary in a parsed ``tokenizer.json``; ``source`` names it in errors (see read_tokenizer_json)."""
    if not isinstance(value, dict) or not isinstance(value.get("model"), dict):
        raise InputError.at(source, "not a tokenizer.json: no object `model`")
    _check_settings(value, source)
    model = value["model"]
    specials = _special_tokens(value.get("added_tokens"), source)
    tokens = _tokens(model.get("vocab"), specials, source)
    ordered = tuple(token for token in tokens if token in specials)
    return Vocabulary(tokens, _merges(model.get("merges"), source), ordered)


def _check_settings(value: dict[str, Any], source: str) -> None:
    model, pre_tokenizer, decoder = value["model"], value.get("pre_tokenizer"), value.get("decoder")
    if model.get("type", "BPE") != "BPE":
        raise InputError.at(source, f"model.type must be BPE, got {model['type']!r}")
    # a key that would change the ids -> the value that does not
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"):
        if model.get(key):
            raise InputError.at(source, f"model.{key} must be off, got {model[key]!r}")
    if value.get("normalizer") is not None:
        raise InputError.at(source, "normalizer must be null: texts are not changed before they are encoded")
    if not isinstance(pre_tokenizer, dict) or pre_tokenizer.get("type") != "ByteLevel":
        raise InputError.at(source, "pre_tokenizer.type must be ByteLevel")
    if pre_tokenizer.get("add_prefix_space", True) or not pre_tokenizer.get("use_regex", True):
        raise InputError.at(source, "pre_tokenizer must have add_prefix_space false and use_regex true")
    if not isinstance(decoder, dict) or decoder.get("type") != "ByteLevel":
        raise InputError.at(source, "decoder.type must be ByteLevel")


def _special_tokens(added: Any, source: str) -> dict[str, int]:
    if not isinstance(added, list) or not all(isinstance(token, dict) for token in added):
        raise InputError.at(source, "expected a list of objects `added_tokens`")
    found: dict[str, int] = {}
    for token in added:
        content, number = token.get("content"), token.get("id")
        if not isinstance(content, str) or not isinstance(number, int) or token.get("special") is not True:
            raise InputError.at(source, f"added_tokens: expected special tokens with id and content, got {token!r}")
        found[content] = number
    return found


def _tokens(vocab: Any, specials: dict[str, int], source: str) -> tuple[str, ...]:
    if not isinstance(vocab, dict) or not vocab or not all(type(number) is int for number in vocab.values()):
        raise InputError.at(source, "model.vocab must be an object of token: id")
    for token, number in specials.items():
        if vocab.get(token, number) != number:
            raise InputError.at(
                source, f"{token} has the id {number} in added_tokens and {vocab[token]} in model.vocab"
            )
    tokens = sorted({**vocab, **specials}.items(), key=lambda item: item[1])
    for expected, (token, number) in enumerate(tokens):
        if number != expected:
            raise InputError.at(
                source, f"ids must run from 0 without gaps: expected {expected}, got {number} for {token!r}"
            )
    return tuple(token for token, _ in tokens)


def _merges(merges: Any, source: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(merges, list):
        raise InputError.at(source, "model.merges must be a list")
    pairs: list[tuple[str, str]] = []
    for number, merge in enumerate(merges, start=1):
        # before version 0.20 of the library a merge was one string with a space
        pieces = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pieces, list) or len(pieces) != 2 or not all(isinstance(piece, str) for piece in pieces):
            raise InputError.at(source, f"model.merges: entry {number} is not a pair of tokens: {merge!r}")
        pairs.append((pieces[0], pieces[1]))
    return tuple(pairs)
