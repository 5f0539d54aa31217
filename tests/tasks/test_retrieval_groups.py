"""Groups of true and wrong pairs in retrieval's training."""

from __future__ import annotations

from itertools import product

import numpy as np
import paddle
import pytest

from tests.conftest import SmallWorld
from unimo.config.architecture import UnimoConfig
from unimo.config.job import DataConfig
from unimo.data.alike import Captions
from unimo.data.images import ImageSource
from unimo.data.records import CaptionRecord
from unimo.modeling import UnimoModel
from unimo.tasks.retrieval import Retrieval, RetrievalOptions
from unimo.tasks.retrieval_groups import Groups, MutualGroups, OwnGroups
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import TaskContext


def captions(num_images: int, each: int) -> Captions:
    """Some captions of random tokens an image."""
    rng = np.random.default_rng(0)
    ids = [rng.integers(40, size=6).tolist() for _ in range(num_images * each)]
    records = [CaptionRecord(str(n), str(n), tuple(str(c) for c in range(each))) for n in range(num_images)]
    return Captions(records, ids, 40)


FORMS = [OwnGroups(3, 2), OwnGroups(3, 2, pool=5), MutualGroups(4), MutualGroups(4, pool=5), MutualGroups(2)]


@pytest.mark.parametrize("groups", FORMS)
def test_what_is_compared_is_a_true_pair_with_wrong_ones(groups: Groups) -> None:
    texts, rng = captions(9, 3), np.random.default_rng(1)
    for index in range(len(texts.owner)):
        images, chosen = groups.draw(texts, index, rng)
        assert len(images) == len(chosen) == groups.size and chosen[0] == index
        numbers = paddle.arange(groups.size, dtype="float32").reshape([1, -1])
        positive, *wrong = (part.numpy().astype(int) for part in groups.compare(numbers))
        assert (texts.owner[chosen[positive]] == images[positive]).all()
        for part in wrong:
            assert len(part) == len(positive)
            assert (texts.owner[chosen[part]] != images[part]).all()
        wrong_images, wrong_captions = wrong
        assert (chosen[wrong_images] == chosen[positive]).all()
        assert (images[wrong_captions] == images[positive]).all()


def test_every_image_of_a_mutual_group_is_scored_with_every_caption() -> None:
    texts, groups = captions(9, 3), MutualGroups(4)
    images, chosen = groups.draw(texts, 7, np.random.default_rng(1))
    assert len(set(images)) == len(set(chosen)) == 4
    assert sorted(zip(images, chosen, strict=True)) == sorted(product(set(images), set(chosen)))


def test_a_mutual_group_may_need_all_images() -> None:
    images, _ = MutualGroups(5).draw(captions(5, 1), 0, np.random.default_rng(0))
    assert set(images) == set(range(5))


@pytest.mark.parametrize("form", [OwnGroups, MutualGroups])
def test_a_pool_brings_captions_that_are_more_alike(form: type) -> None:
    texts = captions(60, 3)

    def likeness(pool: int) -> float:
        groups = form(3, 3, pool) if form is OwnGroups else form(4, pool)
        rng, found = np.random.default_rng(2), []
        for index in range(len(texts.owner)):
            _, chosen = groups.draw(texts, index, rng)
            found.append(texts.likeness(index, np.unique(chosen[chosen != index])).mean())
        return float(np.mean(found))

    assert likeness(1) * 1.5 < likeness(8)


def retrieval(small: SmallWorld, pack: bool, **options: object) -> Retrieval:
    data = DataConfig(
        train=str(small.world / "captions_train.jsonl"), regions=str(small.regions), tokens_per_batch=2000, pack=pack
    )
    tokenizer = UnimoTokenizer.from_pretrained(small.tokenizer)
    images = ImageSource(small.regions, max_regions=6)
    return Retrieval(TaskContext(data, tokenizer, images), RetrievalOptions(**options))


def test_rows_that_are_shared_change_no_loss(small_world: SmallWorld) -> None:
    losses, positions = [], []
    for pack in (False, True):
        task = retrieval(small_world, pack, mutual_pairs=3, loss="softmax")
        batches = task.streams()[0].make_batch([4, 9], 0, 0)
        paddle.seed(0)
        sizes = {
            "vocab_size": task.context.vocabulary.size,
            "image_embedding_size": batches["main"].region_features.shape[2],
        }
        model = UnimoModel(
            UnimoConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, initializer_range=0.3, **sizes),
            task.heads(),
        )
        model.eval()
        losses.append(float(task.losses(model, batches)[0]["ranking"]))
        positions.append(batches["main"].num_positions)
    assert losses[0] == pytest.approx(losses[1], abs=1e-5) and losses[0] > 0.1
    assert positions[1] < positions[0]
