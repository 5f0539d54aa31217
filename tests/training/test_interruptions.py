"""Steps that are not finite, and SIGTERM, in one process."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from paddle import Tensor
from safetensors.numpy import load_file

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from tests.training.worker import launch
from unimo.cli import main
from unimo.cli.jobs import load_job
from unimo.errors import InputError
from unimo.files import read_json
from unimo.tasks.assembly import assemble
from unimo.training.health import StopRequest
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


def test_too_many_in_a_row_end_the_run_and_name_the_records(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trainer(small_world, tmp_path / "a", times(float("nan"), 1, 3, 4, 5), max_skipped_steps=3)
    with pytest.raises(InputError, match=r"not_finite\.json.*3 steps in a row, up to 6") as refused:
        run.train({})
    assert refused.value and capsys.readouterr().err.endswith("]\n")  # what is told next begins a line
    noted = read_json(tmp_path / "a" / "not_finite.json")
    assert noted["step"] == 6
    (records,) = noted["records_by_process"]
    assert records["main"] and all("statements_train.tsv" in record for record in records["main"])


def test_the_records_of_all_accumulated_batches_are_named(small_world: SmallWorld, tmp_path: Path) -> None:
    accumulated = {"gradient_accumulation_steps": 2, "max_skipped_steps": 1}
    run = trainer(small_world, tmp_path / "a", times(float("nan"), 4), **accumulated)
    draws = []
    plain = run._note_skipped
    run._note_skipped = lambda step, found: (draws.extend(found), plain(step, found))  # type: ignore[method-assign, func-returns-value, assignment]
    with pytest.raises(InputError, match="up to 3"):
        run.train({})
    (records,) = read_json(tmp_path / "a" / "not_finite.json")["records_by_process"]
    assert len(draws) == 2 and records["main"] == [name for draw in draws for name in draw.batches["main"].record_ids]


def test_retrieval_names_its_records(small_world: SmallWorld, tmp_path: Path) -> None:
    values = job(small_world, "retrieval", tmp_path / "run")
    given, options = load_job([write_job(tmp_path / "run.yaml", values)], [])
    (stream,) = assemble(given, options).task.streams()
    batch = stream.make_batch([0, 7], 0, 0)["main"]
    assert batch.record_ids == ("train_000000", "train_000001")


def test_sigterm_while_the_last_checkpoint_is_written(small_world: SmallWorld, tmp_path: Path) -> None:
    run, heard = trainer(small_world, tmp_path / "a", times(1.0)), []
    plain = run.checkpoints.save

    def save(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        return plain(*arguments)

    run.checkpoints.save = save  # type: ignore[method-assign]
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("the run was not listening"))
    try:
        report = run.train({})
    finally:
        signal.signal(signal.SIGTERM, before)
    assert report["steps"] == 8 and not heard
    assert os.readlink(tmp_path / "a" / "checkpoints" / "latest") == "step-00000008"


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


SPEEDS = {"seconds", "tokens_per_second", "padding_share", "data_wait_share"}


def events(run: Path) -> list[dict[str, Any]]:
    """What a run logged, but for the times that it took."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name not in SPEEDS} for line in lines]


@pytest.mark.parametrize("step", [4, 8])
def test_sigterm_ends_an_evaluation_which_the_resumed_run_makes_again(
    small_world: SmallWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The signal comes between two splits of the evaluation at a step, the last one among them."""
    from unimo.training import evaluation

    training = {"num_steps": 8, "log_every": 2, "evaluate_every": 4, "average_decay": 0.9}
    config = str(
        write_job(tmp_path / "job.yaml", job(small_world, "text_classification", tmp_path / "whole", training=training))
    )
    assert main(["train", "--config", config]) == 0
    plain, calls = evaluation.evaluate, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == step // 2:  # the second split of an evaluation
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(*arguments)

    monkeypatch.setattr(evaluation, "evaluate", interrupted)
    broken = tmp_path / "broken"
    assert main(["train", "--config", config, "--output", str(broken)]) == 75
    assert os.readlink(broken / "checkpoints" / "latest") == f"step-{step:08d}"
    assert [event["split"] for event in events(broken) if event["step"] == step] == ["train"]
    monkeypatch.undo()
    assert main(["train", "--config", config, "--output", str(broken), "--resume"]) == 0
    assert events(broken) == events(tmp_path / "whole")
    for name in ("step-00000008", "best"):
        whole = (tmp_path / "whole" / "checkpoints" / name / "model.safetensors").read_bytes()
        assert whole == (broken / "checkpoints" / name / "model.safetensors").read_bytes()
    ours, theirs = read_json(broken / "report.json"), read_json(tmp_path / "whole" / "report.json")
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


@pytest.mark.multiprocess
@pytest.mark.slow
def test_one_process_that_is_told_to_stop_within_an_evaluation_stops_all(
    small_world: SmallWorld, tmp_path: Path
) -> None:
    training = {"num_steps": 6, "log_every": 1, "evaluate_every": 3}
    configs = {}
    for name in ("whole", "broken"):
        values = job(small_world, "text_classification", tmp_path / name, training=training)
        values["data"]["tokens_per_batch"] = 200  # several batches a process
        configs[name] = write_job(tmp_path / f"{name}.yaml", values)
    for name, how, end in (
        ("whole", "fresh", "finished"),
        ("broken", "stopped", "preempted"),
        ("broken", "resumed", "finished"),
    ):
        launch([configs[name]], 2, tmp_path / how, how=how)
        logs = [(tmp_path / how / f"workerlog.{rank}").read_text() for rank in range(2)]
        assert [log.count(f"ENDED {end}") for log in logs] == [1, 1]
        if how == "stopped":
            assert os.readlink(tmp_path / name / "checkpoints" / "latest") == "step-00000003"
    assert events(tmp_path / "broken") == events(tmp_path / "whole")
    last = Path("checkpoints") / "step-00000006" / "model.safetensors"
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


@pytest.mark.parametrize("restarts", [True, False], ids=["listening", "a plain handler"])
def test_a_stop_does_not_interrupt_a_system_call(restarts: bool) -> None:
    """Paddle's store takes EINTR for a broken connection: a run that was told to stop failed in an evaluation."""
    library, buffer = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(1)
    reads, writes = os.pipe()
    reader, done = threading.get_native_id(), threading.Event()

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while state_of(reader) != "S" and time.monotonic() < deadline:  # it waits in the call
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        done.wait(0.3)
        os.write(writes, b"x")

    stop, other = StopRequest(), threading.Thread(target=interrupt)
    with stop.listening():
        if not restarts:
            signal.siginterrupt(signal.SIGTERM, True)
        other.start()
        result = library.read(reads, buffer, 1)  # Python's own would try again
        found = (result, ctypes.get_errno() if result < 0 else 0)
        done.set()
        other.join()
        os.close(reads)
        os.close(writes)
    assert found == ((1, 0) if restarts else (-1, errno.EINTR))
    assert stop.received


def state_of(thread: int) -> str:
    """The kernel's letter for what a thread of this process does; S: it waits."""
    return Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(") ")[2][0]
