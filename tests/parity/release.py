"""A folder of goldens as the original left it: its checkpoint, converted, its config and its dictionary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.goldens import MissingGoldenError
from unimo.config.architecture import UnimoConfig
from unimo.config.job import DataConfig
from unimo.conversion.fluid import IGNORED_NAMES, read_fluid_folder
from unimo.conversion.release_names import QKV, config_from_release, from_release, heads_of, our_name
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.modeling.pretrained import load_arrays
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
    def parameters(self) -> dict[str, Array]:
        """The checkpoint: original name -> array."""
        return dict(read_fluid_folder(self.folder / "fluid_ckpt").parameters)

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

    def arrays(self, program: str) -> dict[str, Array]:
        """A program's parameters under our names; names that find no place are an error."""
        shapes = self.shapes(program)
        if absent := sorted(set(shapes) - set(self.parameters)):
            raise MissingGoldenError(f"fluid_ckpt: no {', '.join(absent)}")
        arrays, unused = from_release({name: self.parameters[name] for name in shapes})
        if unused:
            raise InputError(f"{program}: no place for {', '.join(unused)}")
        return arrays

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
        words, positions = self.parameters["word_embedding"], self.parameters["pos_embedding"]
        num_layers = sum(name.endswith("_multi_head_att_output_fc.b_0") for name in self.parameters)
        features = self.parameters["image_emb.w_0"].shape[0]
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
        """The network that our task asks for, filled with a program's parameters; dropout is off.

        Raises:
            InputError: the task's heads are not those of the program, or names or shapes differ.
        """
        arrays = self.arrays(program)
        heads = heads_of(arrays)
        if task.heads() != heads:
            raise InputError(f"{program}: its heads are {heads}, our task's {task.heads()}")
        changes = dict(task.config_changes())
        if "role_embedding" in self.shapes(program):
            changes["num_roles"] = self.shapes(program)["role_embedding"][0]
        if "image_emb.w_0" not in self.shapes(program):
            changes["image_embedding_size"] = 0
        model = UnimoModel(replace(self.config, **changes), heads)  # type: ignore[arg-type]
        load_arrays(model, arrays, program, heads)
        model.eval()
        return model


def original_value(original: str, arrays: Mapping[str, Array]) -> Array:
    """The array of an original name among arrays of ours."""
    place = our_name(original)
    if place is None:
        raise InputError(f"{original}: no place for it here")
    name, third = place
    return arrays[name] if third is None else np.split(arrays[name], len(QKV), axis=-1)[third]
