"""A quickstart folder: the drawn world and the runs over it, read once and checked against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unimo.data.formats.captions import read_captions
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.records import CaptionRecord, LabelledTextRecord
from unimo.errors import InputError
from unimo.files import read_json, read_lines
from unimo.reports.run import read_predictions, read_report
from unimo.worlds.shapes import Scene, read_scenes

RUNS = ("pretraining", "captioning", "retrieval", "statements")
MANIFEST = Path("world") / "manifest.json"


def is_quickstart(folder: Path) -> bool:
    """Whether a folder is a quickstart's, not a single run's."""
    return (folder / MANIFEST).is_file()


@dataclass(frozen=True)
class Quickstart:
    """The files of a quickstart folder; each is read when it is first asked for, with InputErrors that name it."""

    folder: Path

    @property
    def world(self) -> Path:
        """The drawn world."""
        return self.folder / "world"

    def run(self, name: str) -> Path:
        """A run folder."""
        return self.folder / name

    def predictions(self, name: str) -> Path:
        """The predictions of a run on the test split."""
        return self.folder / name / "predictions" / "test.jsonl"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the world was made with."""
        return read_json(self.folder / MANIFEST)

    @cached_property
    def held_out(self) -> frozenset[tuple[str, str]]:
        """Combinations of colour and shape that no training image has."""
        return frozenset((str(color), str(shape)) for color, shape in self.manifest["held_out"])

    @cached_property
    def scenes(self) -> dict[str, Scene]:
        """Image id -> scene."""
        return read_scenes(self.world)

    @cached_property
    def references(self) -> dict[str, tuple[str, ...]]:
        """Test image id -> its true captions of the kind the captioning run is trained on."""
        return _by_image(read_captions(self.world / "captioning_test.jsonl"))

    @cached_property
    def prior(self) -> dict[str, tuple[str, ...]]:
        """Training image id -> its captions, by which the commonest answers are told."""
        return _by_image(read_captions(self.world / "captioning_train.jsonl"))

    @cached_property
    def queries(self) -> list[CaptionRecord]:
        """The retrieval test file."""
        return read_captions(self.world / "retrieval_test.jsonl")

    @cached_property
    def statements(self) -> dict[str, LabelledTextRecord]:
        """Record id -> pair of sentences with its label, of the test split."""
        columns = TextColumns(text_b="text_b")
        return {record.record_id: record for record in read_labelled_texts(self.world / "statements_test.tsv", columns)}

    @cached_property
    def captions(self) -> dict[str, str]:
        """Test image id -> generated caption, one for every test image."""
        path = self.predictions("captioning")
        return _checked(path, "image_id", "caption", set(self.references))

    @cached_property
    def labels(self) -> dict[str, str]:
        """Record id of a pair of sentences -> predicted label, one for every pair."""
        path = self.predictions("statements")
        return _checked(path, "record_id", "label", set(self.statements))

    @cached_property
    def rankings(self) -> list[dict[str, Any]]:
        """The retrieval run's rankings."""
        path = self.predictions("retrieval")
        rankings = read_predictions(path)
        for number, each in enumerate(rankings, start=1):
            if absent := [key for key in ("caption", "image_id", "ranked_images", "scores") if key not in each]:
                raise InputError.at(path, f"no field {absent[0]!r}", number)
        return rankings

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Stage -> seconds; what a stage took in several goes (after an interruption) is added up."""
        path, seconds = self.folder / "stages.tsv", dict[str, float]()
        for number, line in read_lines(path):
            if not line.strip():
                continue
            stage, _, value = line.strip().partition("\t")
            seconds[stage] = seconds.get(stage, 0.0) + _number(value, path, number)
        return seconds

    def test_values(self, name: str) -> dict[str, float | None]:
        """The values of a run's report.json on the test split."""
        path = self.run(name) / "report.json"
        splits = read_report(self.run(name))["splits"]
        if not isinstance(splits.get("test"), dict):
            raise InputError.at(path, "no values of the split 'test'")
        return splits["test"]

    def test_value(self, name: str, key: str) -> float | None:
        """One of them.

        Raises:
            InputError: it is not there, naming file and key.
        """
        values = self.test_values(name)
        if key not in values:
            raise InputError.at(self.run(name) / "report.json", f"splits.test has no value {key!r}")
        return values[key]


def _by_image(records: list[CaptionRecord]) -> dict[str, tuple[str, ...]]:
    return {record.image_id: record.captions for record in records}


def _checked(path: Path, key: str, value: str, wanted: set[str]) -> dict[str, str]:
    """Predictions as a mapping; they must answer exactly what was asked, or scores would be of something else."""
    found: dict[str, str] = {}
    for number, fields in enumerate(read_predictions(path), start=1):
        if absent := [name for name in (key, value) if name not in fields]:
            raise InputError.at(path, f"no field {absent[0]!r}", number)
        name = str(fields[key])
        if name not in wanted:
            raise InputError.at(path, f"{key} {name!r} is none of the test file's", number)
        found[name] = str(fields[value])
    if missing := sorted(wanted - set(found)):
        raise InputError.at(path, f"no prediction for {len(missing)} of {len(wanted)} records, such as {missing[0]!r}")
    return found


def _number(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError.at(path, f"expected a stage, a tab and seconds, found {text!r} for the seconds", line)
    return value
