"""Exported programs at work: scores, vectors and captions without the network's code, through paddle.inference."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from paddle import Tensor

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example, with_regions
from unimo.data.images import region_input
from unimo.data.sampling import sequential_batches
from unimo.errors import InputError
from unimo.files import read_json
from unimo.generation import BeamSettings, TargetStart, beam_search, prediction_text
from unimo.manifest import check_files
from unimo.modeling import ModelInputs
from unimo.modeling.decoding_state import living_slots
from unimo.modeling.tensors import as_tensor
from unimo.regions.detectors import FOLDER_NAME as DETECTOR_FOLDER
from unimo.regions.detectors import load_detector
from unimo.regions.extract import read_image
from unimo.tokenization import UnimoTokenizer

Array = np.ndarray
Result = TypeVar("Result")
MANIFEST_NAME = "export.json"
PROGRAM_SUFFIXES = (".json", ".pdiparams")
FORMAT_VERSION = 1
TOKENS_PER_BATCH = 8192


class ExportedProgram:
    """One program of paddle.inference; arrays in, arrays out, by name."""

    def __init__(self, folder: Path, name: str, ports: Mapping[str, Any], num_threads: int = 1) -> None:
        """``ports``: the manifest's inputs and outputs."""
        from paddle import inference

        files = [folder / f"{name}{suffix}" for suffix in PROGRAM_SUFFIXES]
        for file in files:
            if not file.is_file():
                raise InputError.at(file, "no such file")
        config = inference.Config(*map(str, files))
        config.disable_gpu()
        config.disable_glog_info()
        config.disable_mkldnn()  # 15% faster with it, but 4e-6 off and other numbers from machine to machine
        config.set_cpu_math_library_num_threads(num_threads)
        try:
            self._predictor = inference.create_predictor(config)
        except RuntimeError as error:
            raise InputError.at(files[0], "not a program that this version of Paddle reads") from error
        self.name = name
        self.dtypes = {port["name"]: port["dtype"] for port in ports["inputs"]}
        self.outputs = [port["name"] for port in ports["outputs"]]
        self._lock = threading.Lock()

    def run(self, arrays: Mapping[str, Array | None]) -> dict[str, Array]:
        """Outputs of the inputs that the program has; others are not looked at.

        Raises:
            ValueError: an input is missing.
        """
        with self._lock:
            for name in self._predictor.get_input_names():
                array = arrays.get(name)
                if array is None:
                    raise ValueError(f"{self.name}: needs the input {name}")
                self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array, self.dtypes[name]))
            self._predictor.run()
            handles = [self._predictor.get_output_handle(name) for name in self._predictor.get_output_names()]
            return {name: handle.copy_to_cpu() for name, handle in zip(self.outputs, handles, strict=True)}


class ExportedModel:
    """A folder that `unimo export` wrote. Programs are loaded when they are first used."""

    def __init__(self, folder: str | Path, num_threads: int = 1) -> None:
        """Read the manifest and the tokenizer.

        Raises:
            InputError: the folder holds no export, or one of another format.
        """
        self.folder, self.num_threads = Path(folder), num_threads
        self.manifest = _read_manifest(self.folder)
        self.tokenizer = UnimoTokenizer.from_pretrained(self.folder)
        self.max_text_length = int(self.manifest["max_text_length"])
        self.max_regions = int(self.manifest["max_regions"])
        self.search = BeamSettings(**self.manifest.get("search", {}))  # exports of earlier versions have none
        """How captions are searched for: as the checkpoint's job does it."""
        self.num_cut_tokens = 0
        """Tokens of texts that were longer than ``max_text_length`` and so were not read, since this was loaded."""
        self._programs: dict[str, ExportedProgram] = {}

    def program(self, name: str) -> ExportedProgram:
        """One of the folder's programs.

        Raises:
            InputError: it was not exported, or its files are not as they were written.
        """
        known = self.manifest["programs"]
        if name not in known:
            raise InputError.at(
                self.folder,
                f"has no program {name!r} (a head that the checkpoint lacks?); there are {', '.join(known)}",
            )
        if name not in self._programs:
            # Paddle reads on in a damaged program, and may take the interpreter with it
            check_files(self.folder, [f"{name}{suffix}" for suffix in PROGRAM_SUFFIXES])
            self._programs[name] = ExportedProgram(self.folder, name, known[name], self.num_threads)
        return self._programs[name]

    def read_picture(self, path: str | Path) -> RegionInput:
        """A picture as the network reads it, through the detector that lies in the folder.

        Raises:
            InputError: an unreadable picture, or no detector.
        """
        picture = read_image(path)
        if picture is None:
            raise InputError.at(path, "not a readable picture")
        return region_input(load_detector(self.folder / DETECTOR_FOLDER).detect(picture), self.max_regions)

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """[N, D] pooled vectors of texts that are read alone."""
        return self._outputs("text", self._texts(texts), "pooled")

    def encode_images(self, images: Sequence[RegionInput]) -> Array:
        """[N, D] pooled vectors of images that are read alone."""
        return self._outputs("image", [Example("", regions=image) for image in images], "pooled")

    def match(self, images: Sequence[RegionInput], texts: Sequence[str]) -> Array:
        """[N] scores of the n-th image with the n-th text; higher is a better match."""
        pairs = [with_regions(text, image) for image, text in zip(images, self._texts(texts), strict=True)]
        return self._outputs("match", pairs, "scores")

    def caption(self, images: Sequence[RegionInput], settings: BeamSettings | None = None) -> list[str]:
        """The best caption of every image, by beam search; None searches as the checkpoint's job does."""
        network, search = ExportedDecoder(self, "image_prefix"), settings or self.search
        start, end = self.tokenizer.cls_id, self.tokenizer.sep_id

        def captions(batch: Batch) -> list[str]:
            found = beam_search(network, _model_inputs(batch), search, start, end, target=TargetStart(start, end))
            return [prediction_text(hypotheses[0], self.tokenizer) for hypotheses in found]

        # a hypothesis costs about as much as the image it reads, so the beam counts in the budget
        budget = max(1, TOKENS_PER_BATCH // search.beam_size)
        return self._in_batches([Example("", regions=image) for image in images], captions, budget)

    def _texts(self, texts: Sequence[str]) -> list[Example]:
        """Texts as the network reads them; the first time that some are cut, a warning says how much is left out."""
        t = self.tokenizer
        vocabulary = Vocabulary(t.vocab_size, t.cls_id, t.pad_id, t.sep_id, t.mask_id)
        token_ids = t.encode_batch(list(texts))
        cut = [extra for ids in token_ids if (extra := len(ids) + 2 - self.max_text_length) > 0]
        if cut and not self.num_cut_tokens:
            told = f"{len(cut)} of {len(texts)} texts are longer than {self.max_text_length} tokens, [CLS] and [SEP]"
            rest = "this is said once, num_cut_tokens goes on counting"
            warnings.warn(f"{told} counted, and are cut: {sum(cut)} tokens are left out ({rest})", stacklevel=3)
        self.num_cut_tokens += sum(cut)
        return [text_example("", [ids], vocabulary, self.max_text_length) for ids in token_ids]

    def _outputs(self, name: str, examples: Sequence[Example], output: str) -> Array:
        """One output of a program for every example, in their order."""
        program = self.program(name)
        if output not in program.outputs:
            raise InputError.at(self.folder, f"program {name}: no output {output}, the checkpoint lacks its head")
        rows = self._in_batches(examples, lambda batch: program.run(vars(batch))[output], TOKENS_PER_BATCH)
        return np.asarray(rows, np.float32)

    def _in_batches(
        self, examples: Sequence[Example], work: Callable[[Batch], Iterable[Result]], tokens_per_batch: int
    ) -> list[Result]:
        """What ``work`` makes of every example, in their order; those of similar length share a batch."""
        found: dict[int, Result] = {}
        lengths = [example.num_regions + example.num_tokens for example in examples]
        for indices in sequential_batches(lengths, tokens_per_batch) if examples else ():
            batch = collate([examples[index] for index in indices], self.tokenizer.pad_id)
            found.update(zip(indices, work(batch), strict=True))
        return [found[index] for index in range(len(examples))]


class ExportedState:
    """Keys and values of a decoding in progress, and which slots every hypothesis sees."""

    def __init__(self, prefix: Mapping[str, Array], valid: Array) -> None:
        """``valid`` [B, P] bool. One slot that nobody sees stands first, since an empty array cannot be fed."""
        self.prefix, self.prefix_length = dict(prefix), valid.shape[1]
        self.slots = {f"slot_{name}": np.zeros_like(array[:, :, :1]) for name, array in prefix.items()}
        unseen = np.zeros((len(valid), 1, 1), bool)
        self.visible = np.concatenate([valid[:, None, :], unseen], axis=2)  # [B, K, P + S]

    def follow(self, parents: Array) -> None:
        """The hypotheses that live on, by the number [B, K] of the one each extends."""
        self.visible = self.visible[np.arange(len(parents))[:, None], parents]
        prefix, slots = np.split(self.visible, [self.prefix_length], axis=2)
        kept = living_slots(slots)
        if kept is not None:
            self.visible = np.concatenate([prefix, np.take_along_axis(slots, kept[:, None], axis=2)], axis=2)
            index = kept[:, None, :, None]
            self.slots = {name: np.take_along_axis(array, index, axis=2) for name, array in self.slots.items()}

    def keep(self, examples: Array) -> None:
        """Go on with some of the examples only."""
        self.visible = self.visible[examples]
        self.prefix = {name: array[examples] for name, array in self.prefix.items()}
        self.slots = {name: array[examples] for name, array in self.slots.items()}


class ExportedDecoder:
    """Exported prefix and step as what beam search and sampling ask for."""

    def __init__(self, model: ExportedModel, prefix: str) -> None:
        """``prefix``: which program reads what is given: `text_prefix`, `image_prefix` or `pair_prefix`."""
        self._prefix, self._step = model.program(prefix), model.program("step")

    def start_decoding(self, inputs: ModelInputs) -> ExportedState:
        """Encode what is given."""
        arrays = {name: value.numpy() for name, value in vars(inputs).items() if value is not None}
        return ExportedState(self._prefix.run(arrays), arrays["segment_ids"] > 0)

    def decode_step(self, step: ModelInputs, state: ExportedState) -> Tensor:
        """[B, K] newest tokens -> [B, K, V] logits; the state grows."""
        assert step.input_ids is not None and step.position_ids is not None
        ids, positions = step.input_ids.numpy(), step.position_ids.numpy()
        own = np.broadcast_to(np.eye(ids.shape[1], dtype=bool), (*ids.shape, ids.shape[1]))
        state.visible = np.concatenate([state.visible, own], axis=2)
        given = {"input_ids": ids, "position_ids": positions, "visible": state.visible}
        outputs = self._step.run({**given, **state.prefix, **state.slots})
        state.slots = {name: outputs[f"new_{name}"] for name in state.slots}
        return as_tensor(outputs["logits"])

    def language_logits(self, rows: Tensor) -> Tensor:
        """The program has already computed them."""
        return rows


def _model_inputs(batch: Batch) -> ModelInputs:
    names = ("segment_ids", "order_ids", "region_features", "region_locations")
    return ModelInputs(**{name: as_tensor(getattr(batch, name)) for name in names})


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_NAME
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format_version") != FORMAT_VERSION:
        raise InputError.at(path, f"not an export of format_version {FORMAT_VERSION}")
    if missing := {"programs", "max_text_length", "max_regions"} - set(values):
        raise InputError.at(path, f"no key {', '.join(sorted(missing))}")
    check_files(folder, [MANIFEST_NAME])
    return values
