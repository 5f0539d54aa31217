"""Shares of a batch: every record on one process, joint work on one process in turn, whatever the number."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from unimo.config.job import DataConfig
from unimo.data.batch import Batch, collate
from unimo.data.examples import Vocabulary, text_example
from unimo.training.mixture import Draw, Mixture
from unimo.training.task import TrainingStream

VOCABULARY = Vocabulary(50, 0, 1, 2, 49)


def batch_of(indices: Sequence[int]) -> Batch:
    return collate([text_example(str(i), [[5] * (i % 7 + 1)], VOCABULARY, 20) for i in indices], 1)


def mixture(rank: int, world_size: int, joint: int = 0) -> Mixture:
    def make_batch(indices: Sequence[int], epoch: int, step: int) -> dict[str, Batch]:
        return {"main": batch_of(indices)}

    def make_joint(indices: Sequence[int], epoch: int, step: int) -> dict[str, Batch]:
        return {"joint": batch_of(indices)}

    def make_parts(indices: Sequence[int], epoch: int, step: int, number: int, count: int) -> dict[str, Batch]:
        return {"parts": batch_of(indices[number::count])} if indices[number::count] else {}

    stream = TrainingStream(
        "a",
        [i % 7 + 3 for i in range(40)],
        make_batch,
        make_parts=make_parts,
        make_joint=make_joint if joint else None,
        joint_size=lambda step: joint,
    )
    return Mixture([stream], DataConfig(tokens_per_batch=60), 1, rank, world_size)


def records(draw: Draw, name: str = "main") -> list[str]:
    return list(draw.batches[name].record_ids) if name in draw.batches else []


@pytest.mark.parametrize("joint", [0, 3, 100])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 16])
def test_every_record_lies_on_one_process(world_size: int, joint: int) -> None:
    whole, parts = mixture(0, 1), [mixture(rank, world_size, joint) for rank in range(world_size)]
    for step in range(30):
        expected = sorted(records(whole.draw(step)))
        draws = [part.draw(step) for part in parts]
        assert sorted(record for draw in draws for record in records(draw)) == expected
        assert sorted(record for draw in draws for record in records(draw, "parts")) == expected
        joints = [sorted(records(draw, "joint")) for draw in draws if "joint" in draw.batches]
        assert joints == ([expected] if joint else [])


def test_joint_work_goes_round_and_its_process_takes_fewer_records() -> None:
    parts = [mixture(rank, 2, joint=4) for rank in range(2)]
    turns = []
    for step in range(12):
        draws = [part.draw(step) for part in parts]
        owner = next(rank for rank, draw in enumerate(draws) if "joint" in draw.batches)
        turns.append(owner)
        mine, theirs = len(records(draws[owner])), len(records(draws[1 - owner]))
        assert mine == max(0, round((mine + theirs + 4) / 2 - 4))
    assert set(turns) == {0, 1}


def test_the_order_of_batches_does_not_depend_on_the_number_of_processes() -> None:
    one, two = mixture(0, 1), [mixture(rank, 2) for rank in range(2)]
    for step in range(5):
        one.draw(step)
        for part in two:
            part.draw(step)
    # saved by one process, continued by three
    three = [mixture(rank, 3) for rank in range(3)]
    for part in three:
        part.load_state(one.state())
    expected = sorted(records(one.draw(5)))
    assert sorted(record for part in three for record in records(part.draw(5))) == expected
    assert one.state() == three[1].state()
