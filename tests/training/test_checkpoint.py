"""A checkpoint is whole or it is not used: damage is found, earlier ones stay, and nobody waits for the disk."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.config.architecture import UnimoConfig
from unimo.errors import InputError
from unimo.files import read_json
from unimo.manifest import MANIFEST_NAME, check_whole
from unimo.modeling import UnimoModel
from unimo.training.checkpoint import CheckpointFolder, Snapshot, TrainingState, host_copy, load_checkpoint
from unimo.training.writer import BackgroundWriter

ARCH = UnimoConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_embedding_size=0)
MOMENTS = {"num_updates": np.asarray([3], np.int64)}


@pytest.fixture(scope="module")
def model() -> UnimoModel:
    paddle.seed(1)
    return UnimoModel(ARCH, {"text_pooler": 0})


@pytest.fixture
def saved(model: UnimoModel, tmp_path: Path) -> CheckpointFolder:
    """Steps 1, 2, 3 saved, of which the last two are kept."""
    companion = tmp_path / "tokenizer.json"
    companion.write_text("{}")
    folder = CheckpointFolder(tmp_path / "checkpoints", {"tokenizer.json": companion})
    for step in (1, 2, 3):
        folder.save(Snapshot.of(model), MOMENTS, state_of(step))
    return folder


def state_of(step: int) -> TrainingState:
    return TrainingState(step, {"texts": {"epoch": 1, "batch": 7}}, 0.5, 1, 2.0, 1, {"scale": 8.0})


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(entry.name for entry in folder.folder.iterdir())


def test_the_last_ones_are_kept_and_latest_names_the_last(saved: CheckpointFolder) -> None:
    assert names(saved) == ["latest", "step-00000002", "step-00000003"]
    assert os.readlink(saved.folder / "latest") == "step-00000003"
    assert saved.find_whole() == saved.path(3)


def test_a_checkpoint_gives_back_weights_moments_and_state(saved: CheckpointFolder, model: UnimoModel) -> None:
    other = UnimoModel(ARCH, {"text_pooler": 0})
    state, moments = load_checkpoint(other, saved.path(3))
    assert state == state_of(3)
    assert moments["num_updates"].tolist() == [3]
    for name, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), other.state_dict()[name].numpy())


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "state.json", "config.json", "tokenizer.json", MANIFEST_NAME]
)
@pytest.mark.parametrize("how", ["truncate", "flip", "remove"])
def test_damage_is_found_and_the_one_before_is_used(
    saved: CheckpointFolder, name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved.path(3) / name
    content = bytearray(path.read_bytes())
    if how == "remove":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(content[:-1] if name != MANIFEST_NAME else content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 16
        path.write_bytes(content)
    assert saved.find_whole() == saved.path(2)
    assert (saved.folder / "latest").resolve() == saved.path(2).resolve()
    assert name in capsys.readouterr().err
    assert "step-00000003.damaged" in names(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "config.yaml"])
def test_a_damaged_checkpoint_is_not_used(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """One bit of one file; the same folder without a manifest, and unharmed, is used."""
    values = job(small_world, "text_classification", tmp_path / "run", training={"num_steps": 1})
    config = str(write_job(tmp_path / "job.yaml", values))
    assert main(["train", "--config", config]) == 0
    best = tmp_path / "run" / "checkpoints" / "best"
    evaluating = ["evaluate", "--checkpoint", str(best)]
    starting = ["train", "--config", config, "--init_from", str(best), "--tokenizer", ""]
    path = best / name
    whole = path.read_bytes()
    flipped = bytearray(whole)
    # of a weight's last bits; elsewhere of a digit, so that the file still reads
    position = len(whole) - 4 if name == "model.safetensors" else next(i for i, b in enumerate(whole) if b == ord("4"))
    flipped[position] ^= 1
    path.write_bytes(bytes(flipped))
    for command in (evaluating, [*starting, "--output", str(tmp_path / "more")]):
        if name == "config.yaml" and command is not evaluating:
            continue  # init_from does not read it
        capsys.readouterr()
        assert main(command) == 2
        (told,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
        assert f"{path}: its SHA-256 is not the one it was written with" in told
    path.write_bytes(whole)
    (best / MANIFEST_NAME).unlink()
    assert main(evaluating) == 0
    assert main([*starting, "--output", str(tmp_path / "other")]) == 0


def test_no_whole_checkpoint_is_an_error_and_none_at_all_is_not(saved: CheckpointFolder, tmp_path: Path) -> None:
    for step in saved.steps():
        (saved.path(step) / "state.json").unlink()
    before = names(saved)
    for _ in range(2):  # started again, the run does not begin anew over what might be saved
        with pytest.raises(InputError, match="no checkpoint is whole"):
            saved.find_whole()
    assert names(saved) == before
    assert CheckpointFolder(tmp_path / "none", {}).find_whole() is None


def test_a_save_that_fails_leaves_the_one_before(
    saved: CheckpointFolder, model: UnimoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("unimo.training.checkpoint.seal", full)
    before = names(saved)
    with pytest.raises(OSError, match="No space"):
        saved.save(Snapshot.of(model), MOMENTS, state_of(4))
    assert names(saved) == before


def test_what_a_kill_leaves_behind_is_cleared(saved: CheckpointFolder, model: UnimoModel) -> None:
    saved.save_best(Snapshot.of(model))
    (saved.folder / ".step-00000009.tmp").mkdir()
    (saved.folder / ".step-00000001.dropped").mkdir()
    for path in (saved.best, saved.path(3)):  # killed between two renames
        os.replace(path, saved.folder / f".{path.name}.old")
    saved.recover()
    assert names(saved) == ["best", "latest", "step-00000002", "step-00000003"]
    check_whole(saved.best)
    assert saved.find_whole() == (saved.folder / "latest").resolve() == saved.path(3)


def test_a_state_of_another_kind_is_refused(saved: CheckpointFolder, model: UnimoModel) -> None:
    path = saved.path(3) / "state.json"
    for text in ("[]", "{}", '{"format_version": 1, "step": 3}', '{"format_version": 1, "steps": 3, "streams": {}}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"state\.json"):
            load_checkpoint(model, saved.path(3))
    assert read_json(saved.path(2) / "state.json")["format_version"] == 1


def test_a_snapshot_does_not_follow_the_model() -> None:
    tensor = paddle.ones([3])
    copied = host_copy({"x": tensor})
    tensor.scale_(2.0)
    assert copied["x"].tolist() == [1, 1, 1]


def test_work_is_written_beside_and_one_piece_at_a_time() -> None:
    writer, gate, order = BackgroundWriter(), threading.Event(), []
    writer.submit(lambda: (gate.wait(10), order.append(1)))  # type: ignore[func-returns-value]
    assert order == []  # submit did not wait for it
    writer.submit(lambda: order.append(2))  # nor for that and the best weights of the same step
    assert order == []
    threading.Timer(0.05, gate.set).start()
    writer.submit(lambda: order.append(3))
    assert order[:1] == [1]
    writer.wait()
    assert order == [1, 2, 3]


def test_a_full_disk_is_told_in_one_line_and_other_errors_are_not_lost() -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "checkpoints/x")

    writer = BackgroundWriter()
    writer.submit(full)
    time.sleep(0.05)
    with pytest.raises(InputError, match="checkpoints/x: No space left on device"):
        writer.wait()
    from safetensors import SafetensorError

    def full_by_safetensors() -> None:
        raise SafetensorError("Error while serializing: I/O error: File too large (os error 27)")

    writer.submit(full_by_safetensors)
    with pytest.raises(InputError, match="checkpoints: File too large"):
        writer.wait()
    writer.submit(lambda: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        writer.wait()
