"""The recipes against those of the original release: every setting is the same, or its difference has a reason here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from unimo.cli.jobs import load_job
from unimo.config.job import JobConfig

FOLDER = REPOSITORY / "model_configs" / "finetune"
NAMES = {
    "CoLA": "cola",
    "MNLI-AX": "mnli",
    "SST-2": "sst2",
    "STS-B": "stsb",
    "Flickr30k": "flickr30k",
    "SNLI-VE": "snli_ve",
    "coco": "coco_captions",
    "cnndm": "cnndm",
    "coqa": "coqa",
    "gigaword": "gigaword",
    "squad_qg": "squad_qg",
}
"""The original's name of a recipe -> ours, each also with `_large` behind it."""

DEVICES = {
    **dict.fromkeys(("cnndm", "coqa", "gigaword", "squad_qg"), 4),
    **dict.fromkeys(("flickr30k", "snli_ve", "coco_captions"), 16),
    # up to 8, but whether their batches add up is not told: ours is a batch of the grid over all processes
    **dict.fromkeys(("cola", "mnli", "sst2", "stsb"), 1),
}
"""GPUs of the release, by its README: the recipes hold the batch of one."""

NOT_IN_A_RECIPE = {
    # the original's scripts give these where a recipe does not
    "flickr30k": {"optimizer.weight_decay": 0.1, "optimizer.beta2": 0.98, "data.max_text_length": 512},
    "snli_ve": {
        "optimizer.beta2": 0.999,
        "options.adversarial.kind": "villa",
        "options.adversarial.num_steps": 4,
        "options.adversarial.learning_rate": 0.05,
        "options.adversarial.init_magnitude": 0.4,
        "options.adversarial.max_norm": 0.4,
        "options.adversarial.kl_weight": 1.0,
    },
}

LONGEST = {"flickr30k": 101 + 39, "snli_ve": 101 + 39}
"""Positions that ours makes room for, where captions are far shorter than the original's limit of 512 tokens."""

LEFT_OUT = {
    "do_.*": "what is evaluated is data.evaluate",
    "eval_mertrics": "a task computes its own, and best_metric names one of them",
    "task": "the recipe's own name",
    "task_type": "num_turns tells a conversation",
    ".*_set": "ours reads the files that the datasets publish",
    ".*_filelist": "ours reads the files that the datasets publish",
    "tokenized_input": "ours reads the files that the datasets publish, which hold words",
    "pred_batch_size": "no influence on the results",
    "test_batch_size": "no influence on the results",
    "save_checkpoints": "ours keeps the best checkpoint and the last ones",
    "save_steps": "no influence on the results",
    "random_seed": "DD_RAND_SEED is what ours is compared with; no seed of ours gives the original's draws",
    "in_tokens": "False everywhere: BATCH_SIZE counts records",
    "loss_scaling": "of use_fp16, which is False everywhere",
    "role_type_size": "two speakers and the story: what num_turns brings with it",
}
"""Keys of the original that ours has no setting for -> why."""


class Recipe:
    """One of our yamls, beside the original's settings."""

    def __init__(self, name: str, original: Mapping[str, Any]) -> None:
        self.original = original
        self.name = name
        self.task = name.removesuffix("_large")
        self.path = FOLDER / f"{name}.yaml"
        self.text = self.path.read_text("utf-8")
        self.plain = yaml.safe_load(self.text)
        self.job: JobConfig
        self.job, self.options = load_job([self.path], [])

    def setting(self, key: str) -> Any:
        """What a dotted key came to, defaults included."""
        value: Any = self.options if key.startswith("options.") else self.job
        for part in key.removeprefix("options.").split("."):
            value = getattr(value, part)
        return value

    def swept(self, key: str) -> list[Any]:
        """The values of the grid, or the job's own."""
        sweep = self.plain.get("sweep", {})
        assert key not in sweep or self.setting(key) in sweep[key], f"{key}: the job's own is none of the grid"
        return list(sweep.get(key, [self.setting(key)]))


def number(value: str) -> float:
    return float(value)


def truth(value: str) -> bool:
    return {"true": True, "false": False}[value.lower()]


def same(key: str, read: Callable[[str], Any] = number) -> Callable[[Recipe, Any], None]:
    """The original's value is that of our key; where it is a list, that of our grid."""

    def check(recipe: Recipe, value: Any) -> None:
        found = recipe.swept(key) if isinstance(value, list) else recipe.setting(key)
        expected = [read(each) for each in value] if isinstance(value, list) else read(value)
        assert found == expected, f"{recipe.name}: {key}"

    return check


def check_batch(recipe: Recipe, value: Any) -> None:
    values = value if isinstance(value, list) else [value]
    expected = [int(each) * DEVICES[recipe.task] for each in values]
    assert recipe.swept("data.max_examples_per_batch") == expected
    assert recipe.job.training.gradient_accumulation_steps == 1
    group = 1 + int(recipe.original.get("samples_num", 0))
    wanted = max(expected) * group * longest(recipe)
    assert recipe.job.data.tokens_per_batch >= wanted, "the batch would be cut by the number of its positions"


def longest(recipe: Recipe) -> int:
    """Positions of the longest sequence of a task."""
    if recipe.task in LONGEST:
        return LONGEST[recipe.task]
    limits = ("max_src_len", "max_tgt_len") if "max_src_len" in recipe.original else ("max_len",)
    if "max_img_len" in recipe.original:
        limits = ("max_img_len", "max_obj_len", "max_tgt_len")
    return sum(int(recipe.original[limit]) for limit in limits)


def check_text_length(recipe: Recipe, value: str) -> None:
    if "max_src_len" not in recipe.original:  # otherwise source and target have limits of their own
        assert recipe.job.data.max_text_length == int(value)


def check_target_length(recipe: Recipe, value: str) -> None:
    captions = recipe.job.task == "captioning"
    assert recipe.setting("data.max_text_length" if captions else "options.max_target_length") == int(value)


def check_num_labels(recipe: Recipe, value: str) -> None:
    assert len(getattr(recipe.options, "labels", [recipe.job.task])) == int(value)


def check_negatives(recipe: Recipe, value: str) -> None:
    assert recipe.options.num_negative_images == recipe.options.num_negative_captions == int(value) // 2


def check_regions(recipe: Recipe, value: str) -> None:
    assert recipe.job.data.max_regions == int(value.removeprefix("bbox")) + 1  # the whole image


def check_init(recipe: Recipe, value: str) -> None:
    assert recipe.job.init_from == recipe.job.tokenizer == value


def check_tags(recipe: Recipe, value: str) -> None:
    assert f"confidence {value.split('_')[2]} " in recipe.text


def check_decay_epoch(recipe: Recipe, value: str) -> None:
    assert int(value) in recipe.job.optimizer.decay_epochs
    assert recipe.job.optimizer.schedule == "scale_by_epoch_decay"
    # without a warm-up the original would not use its schedule: one step, which says so in the yaml
    assert recipe.job.optimizer.warmup_steps == 1


def check_warmup(recipe: Recipe, value: Any) -> None:
    same("optimizer.warmup_ratio")(recipe, value)
    assert recipe.job.optimizer.warmup_steps == 0
    assert recipe.job.optimizer.schedule == "linear_warmup_decay"


COMPARED: Mapping[str, Callable[[Recipe, Any], None]] = {
    "BATCH_SIZE": check_batch,
    "batch_size": check_batch,
    "LR_RATE": same("optimizer.learning_rate"),
    "lr": same("optimizer.learning_rate"),
    "EPOCH": same("training.num_epochs"),
    "epoch": same("training.num_epochs"),
    "DD_RAND_SEED": same("training.seed"),
    "seed": same("training.seed"),
    "WARMUP_PROP": check_warmup,
    "warmup_ratio": check_warmup,
    "lr_scheduler": same("optimizer.schedule", str),
    "learning_rate_scale": same("optimizer.decay_scale"),
    "learning_rate_decay_epoch1": check_decay_epoch,
    "learning_rate_decay_epoch2": check_decay_epoch,
    "weight_decay": same("optimizer.weight_decay"),
    "beta1": same("optimizer.beta1"),
    "beta2": same("optimizer.beta2"),
    "epsilon": same("optimizer.epsilon"),
    "validation_steps": same("training.evaluate_every"),
    "use_fp16": same("precision.compute", lambda value: "float16" if truth(value) else "float32"),
    "init": check_init,
    "num_labels": check_num_labels,
    "label_smooth": same("options.label_smoothing"),
    "max_len": check_text_length,
    "max_seq_len": check_text_length,
    "max_src_len": same("options.max_source_length"),
    "max_tgt_len": check_target_length,
    "max_obj_len": same("options.max_tag_tokens"),
    "max_img_len": same("data.max_regions"),
    "bbox": check_regions,
    "object_file_local_path": check_tags,
    "samples_num": check_negatives,
    "turn_type_size": same("options.num_turns"),
    "continuous_position": same("options.continuous_positions", truth),
    "max_out_len": same("options.decoding.max_length"),
    "min_out_len": same("options.decoding.min_length"),
    "beam_size": same("options.decoding.beam_size"),
    "length_penalty": same("options.decoding.length_penalty"),
    "block_trigram": same("options.decoding.block_trigrams", truth),
    "adv_type": same("options.adversarial.kind", str),
    "adv_step": same("options.adversarial.num_steps"),
    "adv_lr": same("options.adversarial.learning_rate"),
    "adv_init_mag": same("options.adversarial.init_magnitude"),
    "adv_max_norm": same("options.adversarial.max_norm"),
    "adv_kl_weight": same("options.adversarial.kl_weight"),
    "norm_type": same("options.adversarial.norm", str),
    "with_pure_model": same("options.adversarial.clean_branch", truth),
}
"""Key of the original -> how ours is compared with it."""


@pytest.fixture(scope="module")
def originals(shared: Path) -> dict[str, dict[str, Any]]:
    """Our name of a recipe -> the original's settings."""
    path = shared / "recipes_original.json"
    if not path.is_file():
        pytest.skip(f"no recipes of the original: {path} is not there")
    groups = json.loads(path.read_text("utf-8")).values()
    return {_our_name(name): recipe for group in groups for name, recipe in group.items()}


def _our_name(name: str) -> str:
    base = name.removesuffix("_large")
    return NAMES[base] + name.removeprefix(base)


def is_left_out(key: str) -> bool:
    return any(re.fullmatch(pattern, key) for pattern in LEFT_OUT)


OURS = sorted(f"{name}{size}" for name in NAMES.values() for size in ("", "_large"))


def test_every_recipe_of_the_original_is_here(originals: dict[str, dict[str, Any]]) -> None:
    assert sorted(originals) == OURS
    ours_alone = {"vqa", "vqa_large", "sst2_small", "squad_qg_small"}  # VQA was never released; the others are examples
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(OURS) | ours_alone


def test_every_key_of_the_original_is_compared_or_has_a_reason(originals: dict[str, dict[str, Any]]) -> None:
    keys = {key for recipe in originals.values() for key in recipe}
    assert sorted(key for key in keys if (key in COMPARED) == is_left_out(key)) == []


@pytest.mark.parametrize("name", OURS)
def test_recipe(originals: dict[str, dict[str, Any]], name: str) -> None:
    recipe = Recipe(name, originals[name])
    for key, value in recipe.original.items():
        if key in COMPARED:
            COMPARED[key](recipe, value)
    for key, value in NOT_IN_A_RECIPE.get(recipe.task, {}).items():
        assert recipe.setting(key) == value, f"{name}: {key}"
    if recipe.task not in ("coco_captions", "snli_ve"):
        assert recipe.options.adversarial.kind == "none"
    swept = {key for key, value in recipe.original.items() if isinstance(value, list) and len(value) > 1}
    assert len(recipe.plain.get("sweep", {})) == len(swept)


@pytest.mark.parametrize("name", [*OURS, "vqa", "vqa_large"])
def test_size(name: str) -> None:
    size, num_layers, width = ("large", 24, 1024) if name.endswith("_large") else ("base", 12, 768)
    recipe = Recipe(name, {})
    assert recipe.plain["arch"] == f"../arch/{size}.yaml"
    assert (recipe.job.arch.num_hidden_layers, recipe.job.arch.hidden_size) == (num_layers, width)
    assert recipe.job.init_from.endswith(f"_{size}_en")
