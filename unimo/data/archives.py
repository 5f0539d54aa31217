"""Downloaded archives unpacked without trust: nothing in one can be written outside the folder asked for."""

from __future__ import annotations

import contextlib
import errno
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from unimo.errors import InputError

_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError),
    RuntimeError,  # of zipfile: an encrypted member
    IndexError,  # of zipfile: a member without a name
)
# OSError is a gzip member that is none


@dataclass(frozen=True)
class _Member:
    """One entry of an archive."""

    name: str
    kind: str
    """`file`, `folder`, or what else it is."""

    content: IO[bytes] | None
    """Of a file."""


def extract_archive(archive: str | Path, folder: str | Path) -> int:
    """Unpack a zip or tar archive (also compressed by gzip, bzip2 or xz) into a folder; returns the number of files.

    Everything is unpacked beside its place first, so that an archive that is refused or damaged leaves nothing. Files
    of the same name that are there already are replaced.

    Raises:
        InputError: no archive, a damaged one, or a member that is a link, a device, or leads outside the folder.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise InputError.at(archive, "no such file")
    folder.mkdir(parents=True, exist_ok=True)
    with _damage_named(archive), tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as temporary:
        names = [_write(member, archive, Path(temporary)) for member in _members(archive)]
        files = [name for name in names if name is not None]
        for name in files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(temporary) / name, target)
    return len(files)


def check_member_name(name: str) -> PurePosixPath:
    """The path of a member below the folder it is unpacked into.

    Raises:
        ValueError: it is absolute, leads upwards, or is a path of Windows.
    """
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]
    if not name or outside or "\\" in name or "\0" in name:
        raise ValueError(f"the member {name!r} leads outside the folder")
    return path


def _write(member: _Member, archive: Path, folder: Path) -> PurePosixPath | None:
    """Unpack one member; returns its name if it is a file."""
    try:
        name = check_member_name(member.name)
    except ValueError as error:
        raise InputError.at(archive, str(error)) from error
    if member.kind == "folder":
        (folder / name).mkdir(parents=True, exist_ok=True)
        return None
    if member.kind != "file" or member.content is None:
        raise InputError.at(archive, f"the member {member.name!r} is a {member.kind}; only files are unpacked")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with member.content as source, open(target, "wb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
    return name


def _members(archive: Path) -> Iterator[_Member]:
    """The members in order."""
    return _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            kind = "link" if is_link else ("folder" if info.is_dir() else "file")
            # what stands in the archive, which zipfile's own reading has cleaned
            yield _Member(info.orig_filename, kind, opened.open(info) if kind == "file" else None)


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r|*") as opened:
        for info in opened:
            kind = "file" if info.isreg() else ("folder" if info.isdir() else ("link" if _is_link(info) else "device"))
            yield _Member(info.name, kind, opened.extractfile(info) if kind == "file" else None)


def _is_link(info: tarfile.TarInfo) -> bool:
    return info.issym() or info.islnk()


@contextlib.contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    """Within the block, damage and members that clash are errors that name the archive; a full disk keeps its own."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        clash = isinstance(error, FileExistsError | IsADirectoryError | NotADirectoryError)
        # EINVAL: the directory of a zip file names a place before its start
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL) and not clash:
            raise
        raise InputError.at(archive, f"no archive, or a damaged one ({type(error).__name__}: {error})") from error
