"""A folder of goldens as the original left it: its checkpoint, converted, its config and its dictionary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.goldens import MissingGoldenError
from unimo.config.architecture import UnimoConfig
from unimo.config.job import DataConfig
from unimo.conversion.converted import Converted
from unimo.conversion.fluid import IGNORED_NAMES, FluidCheckpoint, read_fluid_folder
from unimo.conversion.release import from_fluid
from unimo.conversion.release_names import QKV, config_from_release, our_name
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.tasks import task_class
from unimo.tasks.downstream import DownstreamTask
from unimo.tokenization import UnimoTokenizer
from unimo.tokenization.vocabulary import Vocabulary
from unimo.training.task import TaskContext

Array = np.ndarray

NUM_LAST = 4  # entries of the released dictionary's end that a small one ends with: three unused words and [MASK]


class Release:
    """What all programs of a folder of goldens share."""

    def __init__(self, folder: Path, config_folder: Path, dictionary: Path) -> None:
        self.folder, self.config_folder, self.dictionary = folder, config_folder, dictionary

    @cached_property
    def checkpoint(self) -> FluidCheckpoint:
        """The parameters of all programs."""
        return read_fluid_folder(self.folder / "fluid_ckpt")

    @cached_property
    def programs(self) -> dict[str, dict[str, list[int]]]:
        """Program, without its arguments -> its parameters' names and shapes; tables of decoding are none (Q23)."""
        path = self.folder / "program_params.json"
        if not path.is_file():
            raise MissingGoldenError(f"no {path.name}")
        return {
            program.partition("(")[0]: {name: shape for name, shape in shapes.items() if name not in IGNORED_NAMES}
            for program, shapes in json.loads(path.read_text()).items()
        }

    def shapes(self, program: str) -> dict[str, list[int]]:
        """Names and shapes of a program's parameters."""
        if program not in self.programs:
            raise MissingGoldenError(f"program_params.json: no {program}")
        return self.programs[program]

    @cached_property
    def config(self) -> UnimoConfig:
        """The one of the config folder's models that has the checkpoint's sizes."""
        found = {}
        for path in sorted(self.config_folder.glob("*.json")):
            values = json.loads(path.read_text())
            if "num_hidden_layers" in values and self._fits(config_from_release(values)):
                # what training drops out is not compared: the goldens were trained without dropout
                found[config_from_release(values).num_attention_heads] = config_from_release(values)
        if len(found) != 1:
            raise MissingGoldenError(f"{self.config_folder}: {len(found)} configs fit the checkpoint, not one")
        return next(iter(found.values()))

    def _fits(self, config: UnimoConfig) -> bool:
        parameters = self.checkpoint.parameters
        words, positions = parameters["word_embedding"], parameters["pos_embedding"]
        num_layers = sum(name.endswith("_multi_head_att_output_fc.b_0") for name in parameters)
        features = parameters["image_emb.w_0"].shape[0]
        ours = (config.vocab_size, config.hidden_size, config.max_position_embeddings)
        return (*ours, config.num_hidden_layers, config.image_embedding_size) == (
            *words.shape,
            positions.shape[0],
            num_layers,
            features,
        )

    @cached_property
    def tokenizer(self) -> UnimoTokenizer:
        """The small dictionary: the first entries of the released one, and its last four."""
        full, size = UnimoTokenizer.from_release(self.dictionary).vocabulary, self.config.vocab_size
        tokens = (*full.tokens[: size - NUM_LAST], *full.tokens[-NUM_LAST:])
        known = set(tokens)
        merges = tuple((a, b) for a, b in full.merges if {a, b, a + b} <= known)
        return UnimoTokenizer(Vocabulary(tokens, merges, tuple(t for t in full.specials if t in known)))

    def task(self, name: str, options: Mapping[str, Any]) -> DownstreamTask:
        """One of our tasks."""
        cls = task_class(name)
        task = cls(TaskContext(DataConfig(), self.tokenizer), cls.options_class(**options))
        assert isinstance(task, DownstreamTask)
        return task

    def model(self, program: str, task: DownstreamTask) -> UnimoModel:
        """The network of a program with its parameters; dropout is off.

        Raises:
            InputError: the checkpoint does not fit, or our task needs other heads than the program has.
        """
        model = self.convert(program, task, self.checkpoint, self.folder / "fluid_ckpt").model
        if task.heads() != model.head_sizes:
            raise InputError(f"{program}: its heads are {model.head_sizes}, our task's {task.heads()}")
        return model

    def convert(self, program: str, task: DownstreamTask, checkpoint: FluidCheckpoint, folder: Path) -> Converted:
        """What the converter makes of a checkpoint for a task: generation without dialogue leaves its tables out."""
        dialogue = {"role_embedding", "turn_embedding"} - set(self.shapes(program))
        return from_fluid(checkpoint, self.config, folder, task.name, allow_unused=dialogue)


def original_value(original: str, arrays: Mapping[str, Array]) -> Array:
    """The array of an original name among arrays of ours."""
    place = our_name(original)
    if place is None:
        raise InputError(f"{original}: no place for it here")
    name, third = place
    return arrays[name] if third is None else np.split(arrays[name], len(QKV), axis=-1)[third]
