"""Whether a folder is whole: every file's size and SHA-256 in one list, written last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import is_file, read_json, write_json

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
BLOCK_BYTES = 1 << 20


def seal(folder: Path) -> None:
    """List the folder's files with their checksums, and bring all of it to the disk."""
    files = {str(path.relative_to(folder)): _describe(path) for path in _files(folder)}
    write_json(folder / MANIFEST_NAME, {"format_version": FORMAT_VERSION, "files": files})
    for inner in [path for path in folder.rglob("*") if path.is_dir()]:
        sync_folder(inner)
    sync_folder(folder)


def check_whole(folder: Path) -> None:
    """Compare every file of a sealed folder with its checksum.

    Raises:
        InputError: a file is missing, cut off or changed, or there is no list; names it.
    """
    for name, expected in _listed(folder).items():
        _check_file(folder, name, expected)


def check_files(folder: Path, names: Iterable[str]) -> None:
    """The same for some files of a sealed folder.

    Raises:
        InputError: one of them is missing, cut off, changed or not in the list, or there is no list; names it.
    """
    listed = _listed(folder)
    for name in names:
        if name not in listed:
            raise InputError.at(folder / MANIFEST_NAME, f"does not list {name}")
        _check_file(folder, name, listed[name])


def _listed(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_NAME
    listed = read_json(path)
    if not isinstance(listed, dict) or listed.get("format_version") != FORMAT_VERSION:
        raise InputError.at(path, f"not a list of files of format_version {FORMAT_VERSION}")
    files = listed.get("files")
    if not isinstance(files, dict) or not files:
        raise InputError.at(path, "lists no files")
    return files


def check_listed(folder: str | Path, names: Collection[str]) -> None:
    """Compare those files of a folder that are about to be used with its list of checksums, where it has one.

    Folders without a list (made by hand, by other programs) and files that it does not name are taken as they are.

    Args:
        folder: the folder, such as a checkpoint.
        names: files, or folders of files, in it.

    Raises:
        InputError: a listed file is missing, cut off or changed, or the list is no JSON; names it.
    """
    path = Path(folder) / MANIFEST_NAME
    if not path.is_file():
        return
    listed = read_json(path)
    files = listed.get("files") if isinstance(listed, dict) else None
    for name, expected in files.items() if isinstance(files, dict) else ():  # else it is a list of something else
        if name in names or name.partition("/")[0] in names:
            try:
                _check_file(Path(folder), name, expected)
            except InputError as error:
                told = f"{error}; {MANIFEST_NAME} beside it lists what was written: remove that if you changed the file"
                raise InputError(told) from error


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_file(folder: Path, name: str, expected: Any) -> None:
    path = folder / name
    if not is_file(path):
        raise InputError.at(path, "missing from the folder")
    if not isinstance(expected, dict) or path.stat().st_size != expected.get("bytes"):
        raise InputError.at(path, f"{path.stat().st_size} bytes long, not as it was written")
    if _sha256(path) != expected.get("sha256"):
        raise InputError.at(path, "its SHA-256 is not the one it was written with")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST_NAME)


def _describe(path: Path) -> dict[str, Any]:
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
