"""Files read with errors that name the place, and written so that a half-written file never has the final name."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import re
import shutil
import tokenize
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from unimo.errors import InputError

if TYPE_CHECKING:
    import numpy as np


FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside ``path`` and move it into place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that replaces ``path`` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            retired = path.with_name(f".{path.name}.{os.getpid()}.old")
            os.replace(path, retired)
            os.replace(temporary, path)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_write(path) as stream:
        json.dump(value, stream, indent=2, ensure_ascii=False)
        stream.write("\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, not UTF-8 or not JSON; the message names file and line.
    """
    text = "".join(line for _, line in read_lines(path))
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise InputError.at(path, f"not valid JSON: {error.msg}", error.lineno) from error


def parse_json(text: str | bytes) -> Any:
    """``json.loads``, for which what is nested too deeply to be read is no valid JSON either.

    Raises:
        json.JSONDecodeError: not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def map_array(path: str | Path) -> np.ndarray:
    """The array of a `.npy` file, mapped into memory and not read.

    Raises:
        InputError: no such file, one that is damaged or cut off, or one of Python objects.
    """
    import numpy

    if not is_file(path):
        raise InputError.at(path, "no such file")
    try:
        array = numpy.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, tokenize.TokenError) as error:
        raise InputError.at(path, f"not a readable .npy file ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(array, numpy.ndarray):
        raise InputError.at(path, "not a .npy file but an archive of several")
    return array


def suffix_of(path: str | Path) -> str:
    """The suffix that tells a file's format, in lower case, `.gz` not counted: `a.jsonl.gz` -> `.jsonl`."""
    path = Path(path)
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def input_files(path: str | Path) -> list[Path]:
    """The files that a path stands for: itself, those of a folder by name, or those that a filelist names.

    A filelist has one path a line, relative to its own folder, or else to the working directory (original release);
    it is told by its first line, or by `filelist` in its name. A folder's hidden files are left out.

    Raises:
        InputError: no such path, an empty folder, or a filelist that names a missing file; with line.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
        if not found:
            raise InputError.at(path, "no files in this folder")
        return found
    if not path.is_file():
        raise InputError.at(path, "no such file")
    if not _is_filelist(path):
        return [path]
    files = []
    for number, line in read_lines(path):
        if name := line.strip():
            listed = _listed_file(path, name)
            if listed is None:
                raise InputError.at(path, f"{name}: no such file", number)
            files.append(listed)
    return files


def _is_filelist(path: Path) -> bool:
    if "filelist" in path.name:
        return True
    with open(path, "rb") as stream:
        first = stream.readline(4096)
    name = first.decode("utf-8", errors="replace").strip()
    return bool(name) and first.endswith(b"\n") and _listed_file(path, name) is not None


def _listed_file(path: Path, name: str) -> Path | None:
    return next((each for each in (path.parent / name, Path(name)) if is_file(each)), None)


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; ``Path.is_file`` raises where a name, read from another file, is too long."""
    return os.path.isfile(path)


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield ``(line_number, line)`` of a UTF-8 file, numbers counted from 1, line ends kept.

    `.gz` is unpacked; a byte order mark at the start is no part of the text.

    Raises:
        InputError: the file is missing, empty or not UTF-8; the message names file and line.
    """
    path = Path(path)
    if not is_file(path):
        raise InputError.at(path, "no such file")
    number = 0
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as stream:
        try:
            for number, raw in enumerate(stream, start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError.at(path, f"not valid UTF-8 ({error.reason} at byte {error.start})", number) from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError.at(path, f"damaged gzip file ({error})", number) from error
    if number == 0:
        raise InputError.at(path, "the file is empty")


def give_usual_mode(path: Path) -> None:
    """Let others read a file as far as this process's umask does; safetensors writes for its owner alone."""
    status = Path("/proc/self/status")
    told = re.search(r"^Umask:\s*([0-7]+)", status.read_text(), re.MULTILINE) if status.is_file() else None
    path.chmod(0o666 & ~int(told.group(1), 8) if told else 0o644)


def told_of_full_disk(error: BaseException) -> InputError | None:
    """One line for an error that says that nothing more can be written; None for any other error."""
    # safetensors tells of the system's errors in words alone
    written = [number for number in FULL if f"(os error {number})" in str(error)]
    number = error.errno if isinstance(error, OSError) else next(iter(written), None)
    if number not in FULL:
        return None
    place = error.filename if isinstance(error, OSError) and error.filename else "checkpoints"
    return InputError(f"{place}: {os.strerror(number)}; nothing more can be written, earlier checkpoints are intact")
