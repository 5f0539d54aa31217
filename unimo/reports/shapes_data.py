"""A quickstart folder: the drawn world and the runs over it, read once and checked against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unimo.data.formats.captions import read_captions
from unimo.data.formats.json_fields import expecting, read_jsonl
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.records import CaptionRecord, LabelledTextRecord
from unimo.errors import InputError
from unimo.files import read_json, read_lines
from unimo.reports.run import read_predictions, read_report
from unimo.worlds.shapes import Scene, read_scenes

RUNS = ("pretraining", "captioning", "retrieval", "statements")
NEGATIVES, NEGATIVE_PREDICTIONS = "negatives.json", "negatives.jsonl"
NEGATIVE_SCORERS = ("matching_head", "likelihood")
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

    @property
    def augmented(self) -> Path:
        """The corpus of contrastive learning."""
        return self.folder / "augmented"

    @cached_property
    def negatives(self) -> dict[str, Any]:
        """What `evaluate-negatives` measured on the pre-trained model."""
        path = self._made(NEGATIVES, "evaluate-negatives --json")
        values = read_json(path)
        scorers = [name for name in NEGATIVE_SCORERS if isinstance(values, dict) and name in values]
        if not scorers:
            raise InputError.at(path, f"expected an object with {' or '.join(NEGATIVE_SCORERS)}")
        for name in scorers:
            with expecting("the numbers of evaluate-negatives", path):
                parts = (values[name], *(values[name][part] for part in ("seen", "unseen", "shuffled")))
                _ = [(part["accuracy"], dict(part["pairwise"])) for part in parts]
        return values

    @cached_property
    def negative_predictions(self) -> list[dict[str, Any]]:
        """The scores of every right caption and its wrong ones, of the same evaluation.

        Raises:
            InputError: they give other accuracies, so that the two files are of different runs.
        """
        path = self._made(NEGATIVE_PREDICTIONS, "evaluate-negatives --predictions")
        lines = read_jsonl(path, _negatives_line)
        for name in (name for name in NEGATIVE_SCORERS if name in self.negatives):
            with expecting("scores of evaluate-negatives", path):
                first = [all(line["scores"][name] > each["scores"][name] for each in line["wrong"]) for line in lines]
            accuracy, said = sum(first) / len(first), self.negatives[name]["accuracy"]
            if said is None or abs(said - accuracy) > 1e-6:
                raise InputError.at(
                    path, f"{name} has accuracy {accuracy}, but {NEGATIVES} says {said}; are they of one run?"
                )
        return lines

    def _made(self, name: str, verb: str) -> Path:
        """A file of the folder that must be there, and which verb writes it."""
        path = self.folder / name
        if not path.is_file():
            raise InputError.at(path, f"no such file; `unimo {verb} {path}` writes it (quickstart's stage negatives)")
        return path

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Stage -> seconds; a stage that is there more than once is added up."""
        seconds = dict[str, float]()
        for stage, value, _ in self._goes:
            seconds[stage] = seconds.get(stage, 0.0) + value
        return seconds

    @cached_property
    def total_seconds(self) -> float:
        """How long it took in all: what ran side by side counts once, what lay between stages not at all.

        An attempt that was interrupted left no line: its time is not in it.
        """
        total, ended = 0.0, -math.inf
        for _, value, began in sorted(self._goes, key=lambda go: -math.inf if go[2] is None else go[2]):
            if began is None:
                total += value
            else:
                total += max(began + value - max(began, ended), 0.0)
                ended = max(ended, began + value)
        return total

    @cached_property
    def _goes(self) -> list[tuple[str, float, float | None]]:
        """The lines of stages.tsv: stage, seconds, and, where it is told, the time when it began."""
        path, goes = self.folder / "stages.tsv", list[tuple[str, float, float | None]]()
        for number, line in read_lines(path):
            if not line.strip():
                continue
            stage, _, rest = line.strip().partition("\t")
            value, _, began = rest.partition("\t")
            goes.append((stage, _number(value, path, number), _number(began, path, number) if began else None))
        return goes

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


def _negatives_line(_: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are read, or a KeyError."""
    names = ("image_id", "caption", "unseen", "scores")
    wrong = [{name: each[name] for name in ("kind", "text", "scores")} for each in fields["wrong"]]
    return {name: fields[name] for name in names} | {"wrong": wrong}


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
        raise InputError.at(path, f"a line is a stage, its seconds and when it began; {text!r} is no number", line)
    return value
