"""The augmented corpus as training reads it: candidates of one caption at a time, from files mapped into memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo.augment.identity import FORMAT_VERSION
from unimo.augment.rewriting import REWRITE_KINDS, Rewrite
from unimo.augment.shards import decode_rewrite
from unimo.augment.tables import TextTable, map_numbers
from unimo.data.formats.json_fields import expecting
from unimo.errors import InputError
from unimo.files import is_file, parse_json, read_json

NEGATIVE_KINDS = (*REWRITE_KINDS, "sentence")


@dataclass(frozen=True)
class Candidates:
    """What was found for one caption of one image. The sequences of texts are read when they are asked for."""

    record_id: str
    image_id: str
    caption: str
    positives: Sequence[str]
    """Texts that say the same."""

    negatives: Mapping[str, Sequence[str]]
    """Kind (object, attribute, relation, combination, sentence) -> texts that are wrong about the image."""

    retrieved_images: Sequence[str]
    """Ids of unpaired images, most alike first."""

    retrieved_texts: Sequence[str]
    """Sentences of the free text, most alike first."""

    nodes: Sequence[tuple[str, int, int]]
    """Scene graph: kind (object, attribute, relation) and characters of every node, for masking."""

    rewrites: Sequence[Rewrite]
    """How the negatives at word and phrase level were made."""


class _Chosen(Sequence[str]):
    """Some texts of a table, by number."""

    def __init__(self, table: TextTable, numbers: Sequence[int]) -> None:
        self.table, self.numbers = table, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int | slice) -> str:  # type: ignore[override]
        assert not isinstance(place, slice)
        return self.table[self.numbers[place]]


class _Rewritten(Sequence[str]):
    """The rewrites of one kind as texts."""

    def __init__(self, caption: str, rewrites: Sequence[Rewrite]) -> None:
        self.caption, self.rewrites = caption, rewrites

    def __len__(self) -> int:
        return len(self.rewrites)

    def __getitem__(self, place: int | slice) -> str:  # type: ignore[override]
        assert not isinstance(place, slice)
        return self.rewrites[place].apply(self.caption)


class AugmentedCorpus(Sequence[Candidates]):
    """Captions in the order of the pairs, every caption of an image one after the other. Pickles as its path."""

    def __init__(self, path: str | Path) -> None:
        """Open a finished corpus.

        Raises:
            InputError: no corpus there, one that is not finished, or one of another format.
        """
        self.path = Path(path)
        if not (self.path / "index.json").is_file():
            state = "the corpus is not finished" if (self.path / "job.json").is_file() else "no augmented corpus"
            raise InputError.at(self.path, f"{state} (index.json is missing); run `python -m unimo augment`")
        self.about = read_index(self.path)
        # [records + 1, 3]: shard, offset in it, number of the first caption
        self.places: np.ndarray = map_numbers(self.path / "records.npy", 3)
        self.texts_of_pairs = TextTable(self.path / "captions")
        self._read_line = functools.lru_cache(maxsize=64)(self._line)

    def __len__(self) -> int:
        return len(self.texts_of_pairs)

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """Image id -> number of its record."""
        return {image_id: number for number, image_id in enumerate(TextTable(self.path / "image_ids"))}

    @property
    def unpaired_images(self) -> Sequence[str]:
        """Ids of all images that may be retrieved; none where the job had none."""
        return self._images if (self.path / "images.txt").is_file() else ()

    @functools.cached_property
    def _texts(self) -> TextTable:
        return TextTable(self.path / "texts")

    @functools.cached_property
    def _images(self) -> TextTable:
        return TextTable(self.path / "images")

    def __getitem__(self, key: int | slice | tuple[str, str]) -> Candidates:  # type: ignore[override]
        """The candidates of a caption, by its number or by (image id, caption).

        Raises:
            KeyError: no such image, or it has no such caption.
            IndexError: no such number.
        """
        if isinstance(key, tuple):
            return self._candidates(*self._place(*key))
        assert not isinstance(key, slice)
        if not 0 <= key < len(self):
            raise IndexError(key)
        record = int(np.searchsorted(self.places[:, 2], key, side="right")) - 1
        return self._candidates(record, key - int(self.places[record, 2]))

    def nodes(self, image_id: str, caption: str) -> list[tuple[str, int, int]]:
        """The scene graph of a caption alone, which is read much faster than all of its candidates.

        Raises:
            KeyError: no such image, or it has no such caption.
        """
        record, number = self._place(image_id, caption)
        return [(kind, start, end) for kind, start, end in self._read_line(record)["items"][number]["nodes"]]

    def _place(self, image_id: str, caption: str) -> tuple[int, int]:
        """Record, and caption within it."""
        record = self.numbers[image_id]
        captions = self._read_line(record)["captions"]
        if caption not in captions:
            raise KeyError((image_id, caption))
        return record, captions.index(caption)

    def _candidates(self, record: int, caption: int) -> Candidates:
        line = self._read_line(record)
        if not 0 <= caption < len(line["items"]):
            raise InputError.at(self.path / "records.npy", f"record {record} has no caption {caption}: damaged")
        item, text = line["items"][caption], line["captions"][caption]
        with expecting(f"record {record} of an augmented corpus", self._shard(record)):
            rewrites = [decode_rewrite(values, item["seed"]) for values in item["rewrites"]]
            for each in rewrites:  # a rewrite is applied when it is asked for, which is too late to tell its file
                each.apply(text)
        negatives: dict[str, Sequence[str]] = {
            kind: _Rewritten(text, [each for each in rewrites if each.kind == kind]) for kind in REWRITE_KINDS
        }
        negatives["sentence"] = _Chosen(self.texts_of_pairs, item["sentences"])
        return Candidates(
            record_id=line["record_id"],
            image_id=line["image_id"],
            caption=text,
            positives=[positive for _, positive in item["positives"]],
            negatives=negatives,
            retrieved_images=_Chosen(self._images, line["images"]) if line["images"] else (),
            retrieved_texts=_Chosen(self._texts, item["texts"]) if item["texts"] else (),
            nodes=[(kind, start, end) for kind, start, end in item["nodes"]],
            rewrites=rewrites,
        )

    def _shard(self, record: int) -> Path:
        shard, shards = int(self.places[record, 0]), self.about["shards"]
        if not 0 <= shard < len(shards):
            raise InputError.at(self.path / "records.npy", f"record {record} is in shard {shard}: damaged")
        return self.path / shards[shard]["file"]

    def _line(self, record: int) -> dict[str, Any]:
        path = self._shard(record)
        if not is_file(path):
            raise InputError.at(path, "no such file")
        with expecting(f"record {record} of an augmented corpus", path), open(path, "rb") as stream:
            stream.seek(int(self.places[record, 1]))
            line: dict[str, Any] = parse_json(stream.readline().decode("utf-8"))
            self._check(line)
        return line

    def _check(self, line: Mapping[str, Any]) -> None:
        """See that what a line names is there: a text or image is read when it is asked for.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it does not, or it is no line of a corpus.
        """
        texts = [line["record_id"], line["image_id"], *line["captions"]]
        if len(line["items"]) != len(line["captions"]):
            raise ValueError("another number of items than captions")
        _check_numbers(line["images"], lambda: self._images)
        for item in line["items"]:
            _check_numbers(item["sentences"], lambda: self.texts_of_pairs)
            _check_numbers(item["texts"], lambda: self._texts)
            texts += [text for _, text in item["positives"]]
            if not all(type(start) is type(end) is int for _, start, end in item["nodes"]):
                raise TypeError("a node without its place")
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text that is none")

    def __reduce__(self) -> tuple[type[AugmentedCorpus], tuple[Path]]:
        return AugmentedCorpus, (self.path,)


def read_index(folder: Path) -> dict[str, Any]:
    """A finished corpus's index.json.

    Raises:
        InputError: another format, or damaged.
    """
    path = folder / "index.json"
    about = read_json(path)
    version = about.get("format_version") if isinstance(about, dict) else None
    if version != FORMAT_VERSION:
        raise InputError.at(path, f"format_version {version}, expected {FORMAT_VERSION}")
    shards = about.get("shards")
    if not isinstance(shards, list) or not all(map(_is_shard, shards)):
        raise InputError.at(path, "expected shards: a list of objects with a file name each")
    if not isinstance(about.get("statistics"), dict):
        raise InputError.at(path, "expected statistics: an object")
    return about


def _is_shard(shard: Any) -> bool:
    name = shard.get("file") if isinstance(shard, dict) else None
    return isinstance(name, str) and Path(name).name == name


def _check_numbers(numbers: Any, table: Callable[[], TextTable]) -> None:
    """See that all are numbers of texts in a table, which is opened only where there are any."""
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise TypeError("expected numbers of texts")
    if numbers and not 0 <= min(numbers) <= max(numbers) < len(table()):
        raise ValueError(f"text {max(numbers)} of {len(table())}")
