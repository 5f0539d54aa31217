"""Whose the output folder of a corpus job is: one job's at a time, and one corpus' only."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import Any

from unimo.augment.options import AugmentConfig
from unimo.augment.positives import make_providers
from unimo.augment.workspace import CONFIG_NAME, JOB_NAME
from unimo.config import dump_config, load_config
from unimo.errors import InputError
from unimo.files import atomic_write, read_json, write_json
from unimo.locks import FolderLock

LOCK_NAME = "job.lock"
_LOCK = FolderLock(
    LOCK_NAME,
    at_work="another corpus job is at work there",
    others="other jobs",
    remedy="wait for its end, or name another output",
)


def job_lock(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Keep other jobs out of an output folder while the block lasts.

    A folder that is made for the lock, and into which the block wrote nothing, is gone afterwards.

    Raises:
        InputError: another job is at work in the folder, or it is none.
    """
    return _LOCK.held(folder)


def claim(folder: Path, config: AugmentConfig, identity: dict[str, Any], overwrite: bool) -> None:
    """Make the output folder this job's own, or see that it is already; the lock is held.

    Raises:
        InputError: it holds something else, or a corpus of another job and ``overwrite`` is not given; a model of the
            positives is missing.
    """
    if not is_of(folder, identity):
        _refuse_others(folder, identity, overwrite)
        make_providers(config.positives)  # a missing model is noticed now, not in a worker
        _empty(folder)
        write_json(folder / JOB_NAME, identity)  # first: a folder without it is nobody's
    with atomic_write(folder / CONFIG_NAME) as stream:  # anew, for the paths may have moved
        stream.write(dump_config({"": config.with_full_paths()}))


def is_of(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether a job began in a folder, and made what this one makes.

    Raises:
        InputError: its `job.json` is damaged.
    """
    known = folder / JOB_NAME
    return known.is_file() and _read_job(known)["fingerprint"] == identity["fingerprint"]


def _read_job(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("fingerprint"), str):
        raise InputError.at(path, "not a corpus job")
    return found


def _refuse_others(folder: Path, identity: dict[str, Any], overwrite: bool) -> None:
    """See that a folder holds nothing of worth that is not this job's.

    A job that ended in its preparation left nothing: what was wrong with it can be mended without ``overwrite``.
    """
    known = folder / JOB_NAME
    if not known.is_file():
        if not _is_nobodys(folder):
            raise InputError.at(folder, "is not empty, and holds no corpus")
        return
    begun = (folder / "index.json", folder / "work" / "prepared.json", *folder.glob("shard-*"))
    if not overwrite and any(path.is_file() for path in begun):
        found = _read_job(known)
        version, changed = found.get("job_version", 1), f"another {_first_difference(found, identity)}"
        if version != identity["job_version"]:
            changed = f"version {version} of this job, which is now {identity['job_version']} and makes another"
        raise InputError.at(folder, f"holds a corpus of {changed}; give --overwrite to replace it")


def _is_nobodys(folder: Path) -> bool:
    """Whether a folder without a job is empty, but for what one left that was killed as it began."""
    half_written = re.compile(rf"\.({re.escape(JOB_NAME)}|{re.escape(CONFIG_NAME)})\.\d+\.tmp")
    left = {path.name for path in folder.iterdir() if not half_written.fullmatch(path.name)} - {LOCK_NAME}
    if left != {CONFIG_NAME}:
        return not left
    try:
        load_config({"": AugmentConfig}, [folder / CONFIG_NAME])
    except InputError:
        return False  # of something else
    return True


def _empty(folder: Path) -> None:
    """Remove all but the lock."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK_NAME:
            path.unlink()


def _first_difference(one: Any, other: Any, key: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys() - {"fingerprint"}):
            if one.get(name) != other.get(name) and name != "fingerprint":
                return _first_difference(one.get(name), other.get(name), f"{key}.{name}" if key else name)
    return key
