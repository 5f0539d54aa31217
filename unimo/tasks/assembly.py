"""From a job's configuration to what the trainer runs: tokenizer, images, task and model, checked together."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paddle

from unimo.config.architecture import UnimoConfig
from unimo.config.job import DataConfig, JobConfig
from unimo.data.examples import RegionInput
from unimo.data.generation_examples import FIRST_POSITION
from unimo.data.images import ImageSource, open_images, region_input
from unimo.errors import InputError
from unimo.manifest import check_listed
from unimo.modeling import SCORING_HEADS, UnimoModel
from unimo.modeling.pretrained import WEIGHTS_NAME, load_arrays, read_arrays, read_config
from unimo.regions import FeatureSpec, assert_same_features
from unimo.regions.detector import Detector
from unimo.regions.detectors import FOLDER_NAME as DETECTOR_FOLDER
from unimo.regions.detectors import load_detector
from unimo.regions.extract import read_image
from unimo.tasks import task_class
from unimo.tokenization import UnimoTokenizer
from unimo.training.distributed import ProcessGroup
from unimo.training.task import Task, TaskContext

TOKENIZER_NAME = "tokenizer.json"

SHAPE = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "feed_forward_size",
    "region_norm",
    "location_frequencies",
    "max_position_embeddings",
    "layer_norm_epsilon",
)
"""What an architecture that is given beside a checkpoint must share with it."""

NEW_EMBEDDINGS = {"num_roles": "text_embeddings.roles.", "num_turns": "text_embeddings.turns."}
"""Size that a task may add -> the parameters that begin fresh where a checkpoint has none."""


@dataclass(frozen=True)
class Assembly:
    """A job ready to run."""

    task: Task
    model: UnimoModel

    def write_companions(self, folder: Path) -> dict[str, Path]:
        """The files that every checkpoint carries so that it can be used alone, by name: tokenizer and detector."""
        self.task.context.tokenizer.save_pretrained(folder)
        companions = {TOKENIZER_NAME: folder / TOKENIZER_NAME}
        images = self.task.context.images
        if images is not None and (images.path / DETECTOR_FOLDER).is_dir():
            companions[DETECTOR_FOLDER] = images.path / DETECTOR_FOLDER
        return companions


def assemble(job: JobConfig, options: Any, processes: ProcessGroup | None = None) -> Assembly:
    """Build everything a training job needs; what does not fit together is an InputError naming the key."""
    task = build_task(job, options, processes)
    return Assembly(task, build_model(job, task))


def build_task(job: JobConfig, options: Any, processes: ProcessGroup | None = None) -> Task:
    """The task of a job with its tokenizer and region store, without a network."""
    tokenizer = load_tokenizer(job.tokenizer or job.init_from)
    if job.data.compat and not task_class(job.task).in_release:
        raise InputError(f"data.compat: the original release has no task {job.task}")
    adversarial = getattr(options, "adversarial", None)
    if job.data.pack and adversarial is not None and adversarial.kind != "none":
        raise InputError("data.pack: not together with options.adversarial, whose perturbations are bounded by row")
    images = open_images(job.data)
    context = TaskContext(job.data, tokenizer, images, job.training.seed, processes or ProcessGroup())
    return task_class(job.task)(context, options)


def load_tokenizer(path: str | Path) -> UnimoTokenizer:
    """A saved tokenizer, or a released dictionary folder.

    Raises:
        InputError: neither is there, or the file is not the one that its checkpoint was written with.
    """
    if not path:
        raise InputError("tokenizer: no tokenizer was named, and there is no init_from to take one from")
    folder = Path(path)
    if folder.is_file() or (folder / TOKENIZER_NAME).is_file():
        check_listed(*((folder.parent, {folder.name}) if folder.is_file() else (folder, {TOKENIZER_NAME})))
        return UnimoTokenizer.from_pretrained(folder)
    if folder.is_dir() and not any(folder.glob("*encoder.json")):
        way_out = "a released checkpoint is converted first: `unimo convert from-fluid --dictionary`"
        raise InputError.at(folder, f"no {TOKENIZER_NAME} and no dictionary (*encoder.json); {way_out}")
    return UnimoTokenizer.from_release(folder)


def build_model(job: JobConfig, task: Task) -> UnimoModel:
    """A fresh model, or the one of ``init_from`` with the task's heads."""
    paddle.seed(job.training.seed)
    if not job.init_from:
        config = fit_config(job.arch or UnimoConfig(), task.context, task.config_changes())
        check_positions(config, task)
        return UnimoModel(config, task.heads())
    saved, saved_heads = read_config(job.init_from)
    check_fits(saved, task.context, job.init_from)
    if job.arch is not None:
        saved = with_dropout_of(job.arch, saved, job.init_from)
    added = task.config_changes()
    config = fit_config(saved, task.context, added)
    check_positions(config, task)
    model = UnimoModel(config, task.heads())
    wanted, learned = (set(SCORING_HEADS) & set(heads) for heads in (task.heads(), saved_heads))
    if wanted and learned and wanted != learned and task.context.processes.is_first:
        told = f"learned the head {learned.pop()}, which is left out; {wanted.pop()} begins fresh"
        print(f"unimo: init_from: {job.init_from} {told} (see score)", file=sys.stderr)
    fresh = [NEW_EMBEDDINGS[name] for name in added if not getattr(saved, name)]
    load_arrays(model, read_arrays(job.init_from), Path(job.init_from) / WEIGHTS_NAME, saved_heads, fresh)
    return model


def with_dropout_of(given: UnimoConfig, saved: UnimoConfig, source: str | Path) -> UnimoConfig:
    """A checkpoint's config with the dropout that the job asks for.

    Raises:
        InputError: the job's architecture is another one, naming the key; a base model would be trained as a large one.
    """
    for name in SHAPE:
        wanted, found = getattr(given, name), getattr(saved, name)
        if wanted != found:
            raise InputError(
                f"arch.{name}: {wanted}, but {source} has {found}; start from a checkpoint of this size, or leave arch "
                "out (--arch null) to take the checkpoint's"
            )
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    return replace(saved, **{name: getattr(given, name) for name in names})


def check_positions(config: UnimoConfig, task: Task) -> None:
    """Refuse texts that may be longer than the position table.

    Raises:
        InputError: naming the key of the limit.
    """
    room = config.max_position_embeddings - FIRST_POSITION
    for key, length in task.longest_texts().items():
        if length > room:
            raise InputError(f"{key}: {length}, but the network has positions for {room} tokens")


def fit_config(config: UnimoConfig, context: TaskContext, added: Mapping[str, int] | None = None) -> UnimoConfig:
    """Fill what the config leaves to the tokenizer and the region store, and note whose they are.

    ``added``: sizes that the task sets besides.
    """
    tokenizer = context.tokenizer
    changes: dict[str, Any] = dict(added or {})
    changes["vocab_size"] = config.vocab_size or tokenizer.vocab_size
    if changes["vocab_size"] != tokenizer.vocab_size:
        raise InputError(f"arch.vocab_size: {config.vocab_size}, but the tokenizer has {tokenizer.vocab_size} entries")
    changes["tokenizer_fingerprint"] = tokenizer.fingerprint
    if context.images is not None:
        spec = context.images.spec
        for key, found in (("image_embedding_size", spec.feature_size), ("image_class_size", spec.num_classes)):
            wanted = getattr(config, key)
            if found == 0 and key == "image_class_size":
                continue  # regions without classes train everything but their prediction
            if wanted not in (0, found):
                raise InputError(f"arch.{key}: {wanted}, but the region store has {found}")
            changes[key] = found
        changes |= {"region_feature_name": spec.name, "region_feature_version": spec.version}
    return replace(config, **changes)


def check_fits(config: UnimoConfig, context: TaskContext, source: str | Path) -> None:
    """Refuse a checkpoint with another dictionary or other region features, with the reason.

    Raises:
        InputError: naming the checkpoint.
    """
    if config.tokenizer_fingerprint not in ("", context.tokenizer.fingerprint):
        raise InputError(f"{source}: was trained with another dictionary than the tokenizer given")
    if context.images is not None and config.region_feature_name:
        check_features(config, context.images.spec, source)


def check_features(config: UnimoConfig, found: FeatureSpec, source: str | Path) -> None:
    """Refuse region features that the checkpoint was not trained on.

    Raises:
        InputError: naming the checkpoint, ``source``.
    """
    expected = expected_features(config)
    # class probabilities are targets of pre-training, nothing is read from them
    found = found if found.num_classes else replace(found, num_classes=expected.num_classes)
    assert_same_features(expected, found, str(source))


def expected_features(config: UnimoConfig) -> FeatureSpec:
    """Identity of the region features that a checkpoint was trained on."""
    return FeatureSpec(
        config.region_feature_name, config.region_feature_version, config.image_embedding_size, config.image_class_size
    )


def load_for_inference(
    checkpoint: str | Path, task_name: str, options: Any, data: DataConfig, seed: int = 1
) -> tuple[Task, UnimoModel]:
    """The task and model of a checkpoint folder, with the tokenizer that lies in it.

    Raises:
        InputError: the checkpoint lacks a head that the task needs, or does not fit the region store.
    """
    context = inference_context(checkpoint, data, seed)
    task = task_class(task_name)(context, options)
    _, saved_heads = read_config(checkpoint)
    absent = [name for name, size in task.heads().items() if saved_heads.get(name) != size]
    if absent:
        raise InputError(f"{checkpoint}: no head {', '.join(absent)} for the task {task_name}")
    return task, UnimoModel.from_pretrained(checkpoint, task.heads())


def load_model(
    checkpoint: str | Path, data: DataConfig, images: ImageSource | None = None
) -> tuple[TaskContext, UnimoModel]:
    """A checkpoint with all its heads, whatever its task was, and what its inputs are made from.

    ``images``: what is read in place of the region store that ``data`` names.
    """
    return inference_context(checkpoint, data, images=images), UnimoModel.from_pretrained(checkpoint)


def inference_context(
    checkpoint: str | Path, data: DataConfig, seed: int = 1, images: ImageSource | None = None
) -> TaskContext:
    """The tokenizer that lies in a checkpoint folder and the images asked for, which must fit it.

    Raises:
        InputError: the checkpoint was trained with another dictionary or other features.
    """
    context = TaskContext(data, load_tokenizer(checkpoint), images or open_images(data), seed)
    check_fits(read_config(checkpoint)[0], context, checkpoint)
    return context


def describe_images(paths: Sequence[Path], checkpoint: str | Path, max_regions: int) -> dict[str, RegionInput]:
    """Pictures as a checkpoint reads them, by file name, through the detector that lies beside its weights.

    Raises:
        InputError: an unreadable picture, no detector, or one whose features the checkpoint was not trained on.
    """
    detector = load_own_detector(checkpoint)
    images = {}
    for path in paths:
        picture = read_image(path)
        if picture is None:
            raise InputError.at(path, "not a readable picture")
        images[str(path)] = region_input(detector.detect(picture), max_regions)
    return images


def load_own_detector(checkpoint: str | Path) -> Detector:
    """The detector that lies beside a checkpoint's weights.

    Raises:
        InputError: there is none, a damaged one, or one whose features the checkpoint was not trained on.
    """
    check_listed(checkpoint, {DETECTOR_FOLDER})
    detector = load_detector(Path(checkpoint) / DETECTOR_FOLDER)
    check_features(read_config(checkpoint)[0], detector.spec, checkpoint)
    return detector
