"""Steps that are not finite, and SIGTERM, in one process."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from paddle import Tensor
from safetensors.numpy import load_file

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.cli.jobs import load_job
from unimo.errors import InputError
from unimo.files import read_json
from unimo.tasks.assembly import assemble
from unimo.training.trainer import Trainer


def trainer(small: SmallWorld, folder: Path, losses: Any, **training: Any) -> Trainer:
    """A run of 8 steps whose losses go through ``losses(number of the call, losses)``."""
    values = job(small, "text_classification", folder, training={"num_steps": 8, "log_every": 1, **training})
    values["data"]["evaluate"] = {}
    given, options = load_job([write_job(folder.with_suffix(".yaml"), values)], [])
    assembly = assemble(given, options)
    plain, calls = assembly.task.losses, iter(range(1000))

    def changed(*arguments: Any) -> tuple[Mapping[str, Tensor], Any]:
        found, report = plain(*arguments)
        return losses(next(calls), found), report

    assembly.task.losses = changed  # type: ignore[method-assign, assignment]
    return Trainer(given, assembly.task, assembly.model)


def times(value: float, *numbers: int) -> Any:
    """Losses multiplied by a value at some calls."""
    return lambda call, found: {k: v * value for k, v in found.items()} if call in numbers else found


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_is_skipped_and_counted(
    small_world: SmallWorld, tmp_path: Path, value: float
) -> None:
    report = trainer(small_world, tmp_path / "a", times(value, 2, 3, 6)).train({})
    assert report["skipped_steps"] == 3
    weights = load_file(tmp_path / "a" / "checkpoints" / "latest" / "model.safetensors")
    assert all((array == array).all() for array in weights.values())
    moments = load_file(tmp_path / "a" / "checkpoints" / "latest" / "optimizer.safetensors")
    assert moments["num_updates"].tolist() == [5]


def test_too_many_in_a_row_end_the_run_and_name_the_records(small_world: SmallWorld, tmp_path: Path) -> None:
    run = trainer(small_world, tmp_path / "a", times(float("nan"), 1, 3, 4, 5), max_skipped_steps=3)
    with pytest.raises(InputError, match=r"not_finite\.json.*3 steps in a row, up to 6"):
        run.train({})
    noted = read_json(tmp_path / "a" / "not_finite.json")
    assert noted["step"] == 6
    (records,) = noted["records_by_process"]
    assert records["main"] and all("statements_train.tsv" in record for record in records["main"])


def test_sigterm_saves_and_exits_75_and_the_run_goes_on(small_world: SmallWorld, tmp_path: Path) -> None:
    whole = trainer(small_world, tmp_path / "whole", times(1.0))
    whole.train({})

    def losses(call: int, found: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if call == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unimo.training.trainer.Trainer._start_prefetching", _signalling(losses))
        config = str((tmp_path / "whole").with_suffix(".yaml"))
        assert main(["train", "--config", config, "--output", str(tmp_path / "broken")]) == 75
    assert (
        os.readlink(tmp_path / "broken" / "checkpoints" / "latest") == "step-00000006"
    )  # the step under way, and the one that tells all
    assert main(["train", "--config", config, "--output", str(tmp_path / "broken"), "--resume"]) == 0
    last = Path("checkpoints") / "step-00000008" / "model.safetensors"
    assert (tmp_path / "whole" / last).read_bytes() == (tmp_path / "broken" / last).read_bytes()


def _signalling(losses: Any) -> Any:
    """The trainer's own prefetching, after its task was made to send a signal."""
    start = Trainer._start_prefetching

    def started(self: Trainer) -> Any:
        plain, calls = self.task.losses, iter(range(1000))

        def changed(*arguments: Any) -> Any:
            found, report = plain(*arguments)
            return losses(next(calls), found), report

        self.task.losses = changed  # type: ignore[method-assign]
        return start(self)

    return started
