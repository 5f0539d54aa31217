"""The augmented corpus as training reads it: candidates of one caption at a time, from files mapped into memory."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo.augment.rewriting import REWRITE_KINDS, Rewrite
from unimo.augment.shards import decode_rewrite
from unimo.augment.tables import TextTable
from unimo.errors import InputError
from unimo.files import read_json

FORMAT_VERSION = 1
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
        self.about = read_json(self.path / "index.json")
        if self.about["format_version"] != FORMAT_VERSION:
            raise InputError.at(self.path, f"format_version {self.about['format_version']}, expected {FORMAT_VERSION}")
        # [records + 1, 3]: shard, offset in it, number of the first caption
        self.places: np.ndarray = np.load(self.path / "records.npy", mmap_mode="r")
        self.texts_of_pairs = TextTable(self.path / "captions")
        self._read_line = functools.lru_cache(maxsize=64)(self._line)

    def __len__(self) -> int:
        return len(self.texts_of_pairs)

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """Image id -> number of its record."""
        return {image_id: number for number, image_id in enumerate(TextTable(self.path / "image_ids"))}

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
        item, text = line["items"][caption], line["captions"][caption]
        rewrites = [decode_rewrite(values, item["seed"]) for values in item["rewrites"]]
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

    def _line(self, record: int) -> dict[str, Any]:
        shard, offset = int(self.places[record, 0]), int(self.places[record, 1])
        with open(self.path / self.about["shards"][shard]["file"], "rb") as stream:
            stream.seek(offset)
            return json.loads(stream.readline())

    def __reduce__(self) -> tuple[type[AugmentedCorpus], tuple[Path]]:
        return AugmentedCorpus, (self.path,)
