from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer
from unimo.tokenization.vocabulary import BYTE_ALPHABET

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A tiny dictionary in the release's form: 256 bytes, two merges, GPT-2's end token."""
    tokens = [*BYTE_ALPHABET, "he", "Ġt", "Ġthe", "<|endoftext|>"]
    encoder = {token: number for number, token in enumerate(tokens)}
    order = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", *(str(n) for n in reversed(range(len(tokens)))), "[MASK]"]
    (tmp_path / "x.encoder.json").write_text(json.dumps(encoder), encoding="utf-8")
    (tmp_path / "x.vocab.bpe").write_text("#version: 0.2\nh e\nĠ t\nĠt he\n", encoding="utf-8")
    (tmp_path / "x.vocab.txt").write_text("\n".join(order) + "\n", encoding="utf-8")
    return tmp_path


def test_line_order_gives_the_ids(release: Path) -> None:
    tokenizer = UnimoTokenizer.from_release(release)
    assert [tokenizer.id_to_token(number) for number in range(3, 8)] == ["[UNK]", "<|endoftext|>", "Ġthe", "Ġt", "he"]
    assert tokenizer.encode("he the") == [7, 5]
    assert tokenizer.vocab_size == 265 and tokenizer.mask_id == 264


def replace_line(path: Path, line: int, text: str) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[line - 1] = text
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "line", "text", "message"),
    [
        ("x.vocab.txt", 7, "9999", r"x\.vocab\.txt:7: .*no token with the number 9999"),
        ("x.vocab.txt", 7, "", r"x\.vocab\.txt:7: expected one entry"),
        ("x.vocab.txt", 7, "259", r"x\.vocab\.txt:7: '259' stands in line 5"),
        ("x.vocab.txt", 2, "[PADDING]", r"\[PAD\] is missing"),
        ("x.vocab.txt", 265, "[MA", r"\[MASK\] is missing"),
        ("x.vocab.bpe", 3, "Ġ", r"x\.vocab\.bpe:3: expected two tokens"),
        ("x.vocab.bpe", 3, "Ġ q", r"x\.vocab\.bpe: no merge makes 1 tokens .*'Ġt'"),
        ("x.vocab.bpe", 5, "q q", r"x\.vocab\.bpe: merge 4 \(q q\) needs the token 'qq'"),
    ],
)
def test_a_wrong_line_is_named(release: Path, name: str, line: int, text: str, message: str) -> None:
    replace_line(release / name, line, text)
    with pytest.raises(InputError, match=message):
        UnimoTokenizer.from_release(release)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.encoder.json", '{"a": 0, ', r"x\.encoder\.json:1: not valid JSON"),
        ("x.encoder.json", "[1]", r"x\.encoder\.json: expected a JSON object"),
        ("x.encoder.json", '{"a": "0"}', "expected a whole number, got '0'"),
        ("x.encoder.json", '{"a": 0, "b": 0}', "share the number 0"),
        ("x.encoder.json", "", r"x\.encoder\.json: the file is empty"),
        ("x.vocab.bpe", "#version: 0.2\nh e\n", r"x\.vocab\.bpe: no merge makes 2 tokens"),
        ("x.vocab.txt", "[CLS]\n0\n1\n", r"x\.vocab\.txt: 258 entries of x\.encoder\.json have no line"),
    ],
)
def test_a_damaged_file_is_named(release: Path, name: str, content: str, message: str) -> None:
    (release / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        UnimoTokenizer.from_release(release)


def test_missing_and_ambiguous_files(release: Path) -> None:
    (release / "y.vocab.bpe").write_text("")
    with pytest.raises(InputError, match=r"exactly one \*vocab\.bpe is needed, found: x\.vocab\.bpe, y\.vocab\.bpe"):
        UnimoTokenizer.from_release(release)
    (release / "y.vocab.bpe").unlink()
    (release / "x.vocab.txt").unlink()
    with pytest.raises(InputError, match=r"exactly one \*vocab\.txt is needed, found: none"):
        UnimoTokenizer.from_release(release)
    with pytest.raises(InputError, match="no such folder"):
        UnimoTokenizer.from_release(release / "absent")


def set_at(*keys: str | int, to: Any) -> Edit:
    def edit(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return edit


def drop_vocab(token: str) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        vocab = value["model"]["vocab"]
        last = max(vocab, key=vocab.__getitem__)
        removed = vocab.pop(token)
        if token != last:
            value["model"]["vocab"][last] = removed
            value["added_tokens"] = [entry for entry in value["added_tokens"] if entry["content"] != last]
            value["added_tokens"].append({"id": removed, "content": last, "special": True})

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_at("model", to=None), "no object `model`"),
        (set_at("model", "type", to="WordPiece"), "model.type must be BPE"),
        (set_at("model", "dropout", to=0.1), "model.dropout must be off"),
        (set_at("model", "vocab", to=["a"]), "model.vocab must be an object"),
        (set_at("model", "vocab", "a", to="1"), "model.vocab must be an object"),
        (set_at("model", "vocab", "zz", to=5000), "ids must run from 0 without gaps"),
        (set_at("model", "merges", to="a b"), "model.merges must be a list"),
        (set_at("model", "merges", 0, to=["a"]), "entry 1 is not a pair"),
        (set_at("model", "merges", 0, to=["§", "x"]), "merge 1"),
        (set_at("normalizer", to={"type": "Lowercase"}), "normalizer must be null"),
        (set_at("pre_tokenizer", to={"type": "Whitespace"}), "pre_tokenizer.type must be ByteLevel"),
        (set_at("pre_tokenizer", "add_prefix_space", to=True), "add_prefix_space false"),
        (set_at("decoder", to=None), "decoder.type must be ByteLevel"),
        (set_at("added_tokens", to=None), "list of objects `added_tokens`"),
        (set_at("added_tokens", to=[]), r"special token \[CLS\] is missing"),
        (set_at("added_tokens", 0, "special", to=False), "expected special tokens"),
        (set_at("added_tokens", 0, "id", to=1), r"\[CLS\] has the id 1 in added_tokens and 0 in model.vocab"),
        (drop_vocab("!"), "byte 0x21 .* is missing"),
    ],
)
def test_a_wrong_tokenizer_json_is_explained(trained: UnimoTokenizer, tmp_path: Path, edit: Edit, message: str) -> None:
    path = trained.save_pretrained(tmp_path)
    value = json.loads(path.read_text(encoding="utf-8"))
    edit(value)
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(InputError, match=f"tokenizer.json: .*{message}"):
        UnimoTokenizer.from_pretrained(tmp_path)


def test_missing_or_truncated_tokenizer_json(trained: UnimoTokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file"):
        UnimoTokenizer.from_pretrained(tmp_path)
    path = trained.save_pretrained(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"tokenizer\.json:\d+: not valid JSON"):
        UnimoTokenizer.from_pretrained(path)


def test_settings_that_change_no_ids_are_ignored(trained: UnimoTokenizer, tmp_path: Path) -> None:
    path = trained.save_pretrained(tmp_path)
    value = json.loads(path.read_text(encoding="utf-8"))
    value["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    value["model"]["merges"] = [" ".join(pair) for pair in value["model"]["merges"]]
    path.write_text(json.dumps(value), encoding="utf-8")
    loaded = UnimoTokenizer.from_pretrained(path)
    assert loaded.encode("a big blue square and a red circle") == trained.encode("a big blue square and a red circle")
    assert loaded.fingerprint == trained.fingerprint
