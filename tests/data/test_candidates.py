"""The rows of contrastive learning: what is encoded jointly, what alone, and how candidates are scored from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import pytest

from unimo.config.architecture import UnimoConfig
from unimo.data.batch import Batch, collate
from unimo.data.candidates import PairCandidates, apart_batch, contrastive_batch, wrong_texts
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example, with_regions
from unimo.data.records import CaptionRecord
from unimo.modeling import UnimoModel
from unimo.training.task import model_inputs

VOCABULARY = Vocabulary(size=40, cls_id=0, pad_id=1, sep_id=2, mask_id=39)
HEADS = {"text_pooler": 0, "image_pooler": 0, "match": 0}


def image(seed: int, count: int = 3) -> RegionInput:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    return RegionInput(features, rng.random((count, 5)).astype(np.float32), np.zeros((count - 1, 4), np.float32))


@pytest.fixture(scope="module")
def model() -> UnimoModel:
    paddle.seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3}
    config = UnimoConfig(vocab_size=40, image_embedding_size=6, image_class_size=3, **sizes)
    network = UnimoModel(config, HEADS)
    network.eval()
    return network


def scores_of(model: UnimoModel, batch: Batch) -> np.ndarray:
    """[P, K] scores, as the loss computes them."""
    assert batch.candidates is not None
    inputs = model_inputs(batch)
    hidden = model(inputs)
    text, pictures = model.pool_text(hidden, inputs).numpy(), model.pool_image(hidden, inputs).numpy()
    index = batch.candidates
    chosen = paddle.to_tensor(text[index.texts.ravel()]), paddle.to_tensor(pictures[index.images.ravel()])
    return model.score(*chosen).numpy().reshape(index.texts.shape)


def joint_vectors(model: UnimoModel, regions: RegionInput, ids: list[int]) -> tuple[paddle.Tensor, paddle.Tensor]:
    inputs = model_inputs(collate([with_regions(text_example("", [ids], VOCABULARY, 32), regions)], 1))
    hidden = model(inputs)
    return model.pool_text(hidden, inputs), model.pool_image(hidden)


def test_no_caption_is_wrong_of_an_image_that_it_is_true_of() -> None:
    """Another caption of the image, and what the data say of another image."""
    records = [
        CaptionRecord("1", "a", ("a dog", "a red dog"), also_true=("c",)),
        CaptionRecord("2", "b", ("a dog",)),
        CaptionRecord("3", "c", ("a cat",)),
    ]
    wrong = wrong_texts(list(zip(records, ("a red dog", "a dog", "a cat"), strict=True)))
    # b's words are true of a's image; a and c may share theirs
    assert wrong.tolist() == [[False, False, False], [True, False, True], [False, True, False]]
    pairs = [PairCandidates(image(1), [5, 6, 7]), PairCandidates(image(2), [5, 7]), PairCandidates(image(3), [8])]
    index = contrastive_batch(pairs, VOCABULARY, 32, wrong).candidates
    assert index is not None
    assert index.negatives.sum(axis=1).tolist() == [1, 3, 2]
    alone = apart_batch([(pair.image, pair.text) for pair in pairs], VOCABULARY, 32, wrong).candidates
    assert alone is not None and (alone.negatives == wrong).all() and (alone.positives == np.eye(3)).all()


def test_every_candidate_scores_as_if_it_were_encoded_by_itself(model: UnimoModel) -> None:
    pair = PairCandidates(
        image(1), [5, 6, 7], [[8, 6]], [[9], [10, 11, 12, 13]], [image(2, 5), image(3, 2)], [[14, 15, 16]]
    )
    other = PairCandidates(image(4, 4), [20, 21])
    batch = contrastive_batch([pair, other], VOCABULARY, 32)
    assert batch.candidates is not None
    found = scores_of(model, batch)
    text, picture = joint_vectors(model, image(1), [5, 6, 7])
    expected = [model.score(text, picture).item()]
    expected += [model.score(*joint_vectors(model, image(1), ids)).item() for ids in ([8, 6], [9], [10, 11, 12, 13])]
    alone_text = model_inputs(collate([text_example("", [[14, 15, 16]], VOCABULARY, 32)], 1))
    alone = {3: model_inputs(collate([Example("", regions=image(2, 5))], 1))}
    alone[4] = model_inputs(collate([Example("", regions=image(3, 2))], 1))
    of_image = [model.score(text, model.pool_image(model(inputs))).item() for inputs in alone.values()]
    of_text = model.score(model.pool_text(model(alone_text), alone_text), picture).item()
    np.testing.assert_allclose(found[0], [*expected, *of_image, of_text], atol=1e-5)
    assert batch.candidates.positives[0].tolist() == [True, True, False, False, True, True, True]
    assert batch.candidates.valid[1].tolist() == [True] + [False] * 6


def test_in_batch_candidates_are_shared_by_image_and_caption(model: UnimoModel) -> None:
    pairs = [PairCandidates(image(seed), [seed + 5, seed + 6]) for seed in range(3)]
    batch = contrastive_batch(pairs, VOCABULARY, 32, ~np.eye(3, dtype=bool))
    assert batch.candidates is not None
    assert batch.num_examples == 9
    assert batch.candidates.positives.sum(axis=1).tolist() == [1, 1, 1]
    grid = np.asarray(
        [[model.score(*joint_vectors(model, p.image, list(q.text))).item() for q in pairs] for p in pairs]
    )
    for number, found in enumerate(scores_of(model, batch)):
        wrong = [*np.delete(grid[number], number), *np.delete(grid[:, number], number)]
        np.testing.assert_allclose(np.sort(found[1:]), np.sort(wrong), atol=1e-5)
        assert found[0] == pytest.approx(grid[number, number], abs=1e-5)


def test_one_pair_alone_has_no_negatives(model: UnimoModel) -> None:
    batch = contrastive_batch([PairCandidates(image(1), [5])], VOCABULARY, 32, np.zeros((1, 1), bool))
    assert batch.candidates is not None
    assert batch.candidates.positives.all() and batch.candidates.valid.shape == (1, 1)


def test_apart_rows_hide_image_and_text_from_each_other(model: UnimoModel) -> None:
    batch = apart_batch([(image(1), [5, 6])], VOCABULARY, 32, np.zeros((1, 1), bool))
    inputs = model_inputs(batch)
    changed = model_inputs(replace(batch, region_features=batch.region_features + 1.0))
    before, after = model(inputs), model(changed)
    np.testing.assert_allclose(
        model.pool_text(before, inputs).numpy(), model.pool_text(after, changed).numpy(), atol=1e-6
    )
    assert np.abs(model.pool_image(before).numpy() - model.pool_image(after).numpy()).max() > 1e-3
