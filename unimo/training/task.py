"""What a task is: which records it reads, how they become a batch, its heads and losses, how it is scored.

A task never opens a process group, writes a checkpoint or parses a flag; the trainer never learns what a task is.
A new task is one subclass in ``unimo/tasks``, named in ``tasks/__init__.py``, and one yaml.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from paddle import Tensor

from unimo.config.job import DataConfig
from unimo.data.batch import Batch, collate
from unimo.data.description import DataDescription, ReadingRules, describe_records
from unimo.data.examples import Example, RegionInput, Vocabulary
from unimo.data.images import ImageSource
from unimo.data.packing import Size, fill_rows, row_capacity
from unimo.data.records import Outline, Record
from unimo.errors import InputError
from unimo.modeling import ModelInputs, UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.tokenization import UnimoTokenizer
from unimo.training.distributed import ProcessGroup

Losses = dict[str, Tensor]
Report = dict[str, float]
StepBatch = Mapping[str, Batch]


@dataclass(frozen=True)
class TaskContext:
    """What every task is built from."""

    data: DataConfig
    tokenizer: UnimoTokenizer
    images: ImageSource | None = None
    seed: int = 1
    processes: ProcessGroup = field(default_factory=ProcessGroup)
    """Whoever evaluates beside this process: long work over many batches goes through its ``map``."""

    def collator(self, sizes: Sequence[Size]) -> Callable[[Sequence[Example], Sequence[int]], Batch]:
        """How examples of records, whose numbers are given too, become a batch: one a row, or packed (``data.pack``).

        ``sizes``: regions and tokens of every record of the stream, as its batches are cut by; the largest one decides
        how much a row holds. Rows are filled by these, and not by what an example has of its own (a generation example
        is longer by a token a fragment), which might need more rows than were reckoned with.
        """
        pad_id, capacity = self.vocabulary.pad_id, row_capacity(sizes)
        if not self.data.pack:
            return lambda examples, indices: collate(examples, pad_id)
        return lambda examples, indices: collate(
            examples, pad_id, fill_rows([sizes[index] for index in indices], capacity)
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """The special ids and size that sequences are built with."""
        t = self.tokenizer
        return Vocabulary(t.vocab_size, t.cls_id, t.pad_id, t.sep_id, t.mask_id)

    def require_images(self) -> ImageSource:
        """The region store, or an error that names the key."""
        if self.images is None:
            raise InputError("data.regions: this task needs a region store")
        return self.images


@dataclass(frozen=True)
class TrainingStream:
    """One kind of training data: the length of every record, and how records become a step's batches."""

    name: str
    lengths: Sequence[int]
    make_batch: Callable[[Sequence[int], int, int], StepBatch]
    """(record indices, epoch, step) -> named batches; random only through (seed, epoch, index, step). Of several
    processes each makes that of its share of the records."""

    weight: float = 1.0
    """Share of the steps drawn from it, where a task has several streams."""

    tokens_per_batch: int = 0
    """Budget of its batches; 0 takes the job's."""

    max_examples: int = 0
    """Most records of a batch; 0 takes the job's."""

    batches_of: Callable[[int], list[list[int]]] | None = None
    """The batches of an epoch, a pure function of it; None draws records of similar length within the budget."""

    sizes: Sequence[Size] = ()
    """Regions and tokens of every record, where make_batch goes through the context's ``collator``, which may pack."""

    make_parts: Callable[[Sequence[int], int, int, int, int], StepBatch] | None = None
    """The same for further batches that are made from all records of a batch and can be parted afterwards: ``(record
    indices, epoch, step, number, count)`` gives part ``number`` of ``count``, one for each process."""

    make_joint: Callable[[Sequence[int], int, int], StepBatch] | None = None
    """The same for further batches whose rows need each other (every image against every caption): it is given all
    records of a batch whatever the number of processes, and one process makes and trains them."""

    joint_size: Callable[[int], int] = lambda step: 0
    """(step) -> about how many records' work that is; the process that does it takes so many fewer of the others."""


@dataclass(frozen=True)
class Evaluation:
    """Scores and predictions of one split."""

    metrics: dict[str, float | None]
    predictions: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PredictionRequest:
    """What a user wants a prediction for: images, texts, or both, each with a name to show."""

    images: Mapping[str, RegionInput] = field(default_factory=dict)
    texts: Sequence[tuple[str, ...]] = ()
    """Each one text, or a pair of texts."""


class Task(ABC):
    """A job's substance. Subclasses set the class variables and implement the abstract methods."""

    name: ClassVar[str]
    options_class: ClassVar[type]
    best_metric: ClassVar[str] = "loss"
    """Metric of the first split that decides which checkpoint is the best."""

    in_release: ClassVar[bool] = False
    """Whether the original release has the task, so that `data.compat: original` means something."""

    def __init__(self, context: TaskContext, options: Any) -> None:
        self.context = context
        self.options = options

    @abstractmethod
    def heads(self) -> dict[str, int]:
        """Heads of the network that the task needs -> number of outputs."""

    def config_changes(self) -> dict[str, int]:
        """Sizes of the network that the task needs beyond the architecture's (dialogue roles and turns)."""
        return {}

    @abstractmethod
    def read(self, path: str | Path) -> Sequence[Record]:
        """The records of a file, as training and evaluation read them; nothing is made of them yet."""

    @abstractmethod
    def streams(self) -> list[TrainingStream]:
        """The training data, read and checked."""

    @abstractmethod
    def losses(self, model: UnimoModel, batches: StepBatch) -> tuple[Losses, Report]:
        """Named losses, whose sum is minimised, and further numbers to log."""

    def loss_counts(self, batches: StepBatch) -> Mapping[str, float]:
        """Of how many things each loss is the mean, by its name; ``""`` stands for every loss that is not named.

        Numbers of the report may be named too; the others are averaged over rows.

        A process's loss weighs as its share of these, so that the sum is the mean over the whole batch. By default
        every loss is a mean over rows.
        """
        return {"": num_rows(batches)}

    @abstractmethod
    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Score the records of a file with a model in evaluation mode."""

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """Predictions for inputs without a label, one mapping each; a task that has none says so.

        Raises:
            InputError: the task makes no predictions, or lacks the images or texts that it needs.
        """
        raise InputError(f"task: {self.name} makes no predictions; fine-tune the checkpoint for a task first")

    def training_files(self) -> dict[str, Sequence[str]]:
        """Name -> files of training records."""
        return {"train": [self.context.data.train]}

    def outline(self, record: Record) -> Outline:
        """What of a record the task reads."""
        return record.outline()

    def text_limits(self) -> dict[str, int]:
        """Longest sequences in tokens, by the name they have in an outline; others have ``data.max_text_length``."""
        return {}

    def longest_texts(self) -> dict[str, int]:
        """Key -> most tokens that positions are counted through, which the network's position table must hold."""
        return {"data.max_text_length": self.context.data.max_text_length}

    def label_value(self, label: str) -> Any:
        """What a label becomes.

        Raises:
            ValueError: it cannot be used.
        """
        return label

    def describe(self, path: str | Path) -> DataDescription:
        """What stands in a file, and what of it is broken; needs no model.

        Raises:
            InputError: the file cannot be read.
        """
        context = self.context
        limits, longest = self.text_limits(), context.data.max_text_length
        rules = ReadingRules(context.tokenizer, context.images, longest, limits, self.label_value)
        return describe_records(self.read(path), self.outline, rules)


def num_rows(batches: StepBatch) -> int:
    """Sequences in a step's batches, however many share a row."""
    return sum(batch.num_examples for batch in batches.values())


def model_inputs(batch: Batch) -> ModelInputs:
    """A batch's arrays on the device."""

    def tensor(array: Any) -> Tensor | None:
        return None if array is None else as_tensor(array)

    return ModelInputs(
        segment_ids=as_tensor(batch.segment_ids),
        order_ids=as_tensor(batch.order_ids),
        input_ids=tensor(batch.input_ids),
        position_ids=tensor(batch.position_ids),
        role_ids=tensor(batch.role_ids),
        turn_ids=tensor(batch.turn_ids),
        region_features=tensor(batch.region_features),
        region_locations=tensor(batch.region_locations),
        text_starts=tensor(batch.text_starts),
        image_starts=tensor(batch.image_starts),
    )
