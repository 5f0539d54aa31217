"""Records out of JSON, with errors that name file and line or field."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from unimo.errors import InputError
from unimo.files import parse_json, read_lines

Record = TypeVar("Record")


def read_jsonl(path: str | Path, make: Callable[[str, dict[str, Any]], Record]) -> list[Record]:
    """Read one record a line; ``make(record_id, fields)`` builds it and raises KeyError or ValueError if it cannot.

    Raises:
        InputError: missing or empty file, invalid UTF-8, a line that is no JSON object or lacks a field; with line.
    """
    records = []
    for number, line in read_lines(path):
        try:
            fields = parse_json(line)
        except json.JSONDecodeError as error:
            raise InputError.at(path, f"not valid JSON: {error.msg}", number) from error
        if not isinstance(fields, dict):
            raise InputError.at(path, f"expected a JSON object, found {type(fields).__name__}", number)
        try:
            records.append(make(f"{Path(path).name}:{number}", fields))
        except KeyError as error:
            raise InputError.at(path, f"no field {error.args[0]!r}", number) from error
        except ValueError as error:
            raise InputError.at(path, str(error), number) from error
    return records


@contextlib.contextmanager
def expecting(what: str, path: str | Path) -> Iterator[None]:
    """Within the block, a field that is missing or of another type says that ``path`` is not ``what``.

    Raises:
        InputError: instead of the KeyError, TypeError, AttributeError, ValueError or OverflowError of the block.
    """
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InputError.at(path, f"not {what} ({type(error).__name__}: {error})") from error


def string(value: Any, name: str) -> str:
    """``value``, which must be a string.

    Raises:
        ValueError: it is not; names the field.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a string, found {type(value).__name__}")
    return value


def strings(value: Any, name: str) -> tuple[str, ...]:
    """``value``, which must be a list of strings.

    Raises:
        ValueError: it is not; names the field.
    """
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list of strings, found {type(value).__name__}")
    return tuple(string(item, name) for item in value)
