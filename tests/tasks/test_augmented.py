"""From captions through the corpus job into pre-training: rewritten captions, retrieved images and texts, nodes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_corpus, write_job
from unimo.cli import main
from unimo.cli.jobs import load_job
from unimo.data.formats.captions import read_captions
from unimo.errors import InputError
from unimo.tasks.assembly import build_task
from unimo.tasks.augmented import AugmentedSource
from unimo.tasks.contrastive_learning import draw_kinds


@pytest.fixture(scope="module")
def augmented(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(small_world, tmp_path_factory.mktemp("augmented"))


def test_candidates_and_nodes_of_a_caption(small_world: SmallWorld, augmented: Path) -> None:
    records = read_captions(small_world.world / "captions_train.jsonl")
    source = AugmentedSource(augmented, records)
    kinds = set()
    for record in records[:20]:
        for caption in record.captions:
            found = source.candidates(record.image_id, caption)
            assert not {text for texts in found.rewrites.values() for text in texts} & set(record.captions)
            assert set(found.positives) <= set(record.captions) - {caption}
            assert len(found.image_ids) <= 4 and len(found.texts) <= 4
            for node in source.nodes(record.image_id, caption):
                kinds.add(node.kind)
                assert caption[node.start : node.end].strip()
    assert kinds == {"object", "attribute", "relation"}


def test_pretraining_contrasts_what_the_job_wrote(small_world: SmallWorld, augmented: Path, tmp_path: Path) -> None:
    values = job(small_world, "pretraining", tmp_path / "run")
    values["options"]["contrastive"] = {"num_pairs": 3, "augmented": str(augmented)}
    values["options"] |= {"scenegraph_mask_ratio": 0.5, "shares": {"images": 0, "texts": 0, "pairs": 1}}
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    events = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [event["loss.contrastive"] for event in events if "loss.contrastive" in event]
    assert losses and all(0 < loss < 10 for loss in losses)


@pytest.mark.parametrize(("start", "hidden"), [(0, True), (100, False)])
def test_relations_are_hidden_from_their_step_on(
    small_world: SmallWorld, augmented: Path, tmp_path: Path, start: int, hidden: bool
) -> None:
    values = job(small_world, "pretraining", tmp_path / "run")
    values["options"] |= {"scenegraph_mask_ratio": 1.0, "scenegraph_kinds": {"object": 0, "attribute": 0}}
    values["options"] |= {"relation_start_step": start, "generation_share": 0, "region_share": 0}
    values["options"]["contrastive"] = {"num_pairs": 0, "augmented": str(augmented)}
    job_config, options = load_job((write_job(tmp_path / "job.yaml", values),), [])
    task = build_task(job_config, options)
    pairs = next(stream for stream in task.streams() if stream.name == "pairs")
    labels = [label for batch in pairs.make_batch(range(60), 0, 5).values() for label in batch.token_labels]
    phrases = "to the left of right over above under below with in on"
    wording = {token for ids in task.context.tokenizer.encode_batch([phrases, f"a {phrases}"]) for token in ids}
    share = np.mean([label in wording for label in labels])
    assert (share > 0.4) == hidden, share


def test_rewrites_are_drawn_kind_by_kind(small_world: SmallWorld, augmented: Path) -> None:
    records = read_captions(small_world.world / "captions_train.jsonl")
    source, seen = AugmentedSource(augmented, records), 0
    for record in records[:20]:
        for caption in record.captions:
            rewrites = source.candidates(record.image_id, caption).rewrites
            kinds = {text: kind for kind, texts in rewrites.items() for text in texts}
            there = sum(bool(texts) for texts in rewrites.values())
            drawn = draw_kinds(rewrites, there, np.random.default_rng(1))
            assert len(set(drawn)) == len({kinds[text] for text in drawn}) == there
            seen += there == 4
    assert seen


def test_a_corpus_of_other_pairs_is_refused(small_world: SmallWorld, augmented: Path) -> None:
    records = read_captions(small_world.world / "retrieval_test.jsonl")
    with pytest.raises(InputError, match="made from other pairs: 12 images"):
        AugmentedSource(augmented, records)
