"""The region store: an LMDB file of half-precision features, memory-mapped and shared by workers and processes.

A record is a fixed header, four little-endian arrays and a checksum of both; nothing in it is executed when read.
meta.json beside the data names the features and the file's length: mapping a truncated file would kill the
interpreter, so the length is checked before.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from unimo.errors import InputError
from unimo.files import read_json, write_json
from unimo.regions.regions import FeatureSpec, Regions

FORMAT_VERSION = 1
DATA_NAME, META_NAME = "data.mdb", "meta.json"
# image width, image height, regions, feature size, classes, attributes, bytes of class names
_HEADER = struct.Struct("<7I")
_CHECKSUM = struct.Struct("<I")
_MAP_GROWTH = 1 << 30
_LONGEST_KEY = 511  # bytes, of LMDB


def encode_record(regions: Regions) -> bytes:
    """Regions as bytes: header, boxes float32, features, class and attribute probabilities float16, names, CRC-32."""
    attributes = regions.attribute_probabilities
    names = json.dumps(regions.class_names).encode() if regions.class_names is not None else b""
    header = _HEADER.pack(
        regions.image_width,
        regions.image_height,
        len(regions),
        regions.features.shape[1],
        regions.class_probabilities.shape[1],
        0 if attributes is None else attributes.shape[1],
        len(names),
    )
    arrays = [np.ascontiguousarray(regions.boxes, "<f4"), np.ascontiguousarray(regions.features, "<f2")]
    arrays.append(np.ascontiguousarray(regions.class_probabilities, "<f2"))
    if attributes is not None:
        arrays.append(np.ascontiguousarray(attributes, "<f2"))
    body = header + b"".join(array.tobytes() for array in arrays) + names
    return body + _CHECKSUM.pack(zlib.crc32(body))


def decode_record(data: bytes | memoryview, verify: bool = True) -> Regions:
    """The inverse of :func:`encode_record`.

    Raises:
        ValueError: the bytes are damaged, or the declared number of regions does not fit them.
    """
    view = memoryview(data)
    if len(view) < _HEADER.size + _CHECKSUM.size:
        raise ValueError("record cut short")
    width, height, count, feature_size, classes, attributes, names_size = _HEADER.unpack_from(view)
    sizes = [count * 4 * 4, count * feature_size * 2, count * classes * 2, count * attributes * 2]
    if _HEADER.size + sum(sizes) + names_size + _CHECKSUM.size != len(view):
        raise ValueError(f"{count} regions declared, which does not fit {len(view)} bytes")
    if verify and zlib.crc32(view[: -_CHECKSUM.size]) != _CHECKSUM.unpack_from(view, len(view) - _CHECKSUM.size)[0]:
        raise ValueError("wrong checksum")
    offsets = np.cumsum([_HEADER.size, *sizes])
    boxes = np.frombuffer(view, "<f4", count * 4, offsets[0]).reshape(count, 4)
    names = bytes(view[offsets[4] : offsets[4] + names_size])
    return Regions(
        features=_half(view, offsets[1], count, feature_size),
        boxes=boxes.astype(np.float32),
        image_width=width,
        image_height=height,
        class_probabilities=_half(view, offsets[2], count, classes),
        attribute_probabilities=_half(view, offsets[3], count, attributes) if attributes else None,
        class_names=tuple(json.loads(names)) if names else None,
    )


def _half(view: memoryview, offset: int, rows: int, columns: int) -> np.ndarray:
    return np.frombuffer(view, "<f2", rows * columns, offset).reshape(rows, columns).astype(np.float32)


class _Mapping:
    """One memory map of a store a process: LMDB refuses to open the same file twice."""

    _open: ClassVar[dict[tuple[int, Path], _Mapping]] = {}

    def __init__(self, key: tuple[int, Path], environment: Any) -> None:
        self.key, self.environment, self.users = key, environment, 0

    @classmethod
    def of(cls, path: Path, expected_bytes: int) -> _Mapping:
        key = (os.getpid(), path.resolve())
        if key not in cls._open:
            cls._open[key] = cls(key, _open(path, expected_bytes))
        cls._open[key].users += 1
        return cls._open[key]

    def release(self) -> None:
        self.users -= 1
        if self.users == 0:
            del self._open[self.key]
            if self.key[0] == os.getpid():
                self.environment.close()


class RegionStore:
    """Read access by image id. Safe to open in several processes; pickles as its path."""

    def __init__(self, path: str | Path) -> None:
        """Open a finished store.

        Raises:
            InputError: no store there, another format, or a data file of the wrong length.
        """
        self.path = Path(path)
        if not (self.path / META_NAME).is_file():
            raise InputError.at(self.path, "no region store (meta.json is missing)")
        self.meta = _read_meta(self.path)
        self.spec = FeatureSpec(**self.meta["spec"])
        self._mapping: _Mapping | None = _Mapping.of(self.path, self.meta["data_bytes"])
        self._environment = self._mapping.environment
        self._transaction = self._environment.begin(buffers=True)

    def __len__(self) -> int:
        return int(self._environment.stat()["entries"])

    def __contains__(self, image_id: object) -> bool:
        return isinstance(image_id, str) and self._get(image_id) is not None

    def __getitem__(self, image_id: str) -> Regions:
        data = self._data(image_id)
        try:
            return decode_record(data)
        except ValueError as error:
            raise InputError.at(self.path, f"record {image_id!r}: {error}") from error

    def num_regions(self, image_id: str) -> int:
        """R of an image, read from the record's header alone."""
        return int(_HEADER.unpack_from(self._data(image_id))[2])

    def ids(self) -> list[str]:
        """All image ids, sorted."""
        with _told_of_damage(self.path):
            return [bytes(key).decode() for key in self._transaction.cursor().iternext(values=False)]

    def close(self) -> None:
        """Unmap the file, unless another RegionStore of this process still reads it."""
        if self._mapping is not None:
            self._transaction.abort()
            self._mapping.release()
            self._mapping = None

    def __del__(self) -> None:
        if getattr(self, "_mapping", None) is not None:
            self.close()

    def _data(self, image_id: str) -> memoryview:
        data = self._get(image_id)
        if data is None:
            raise InputError.at(self.path, f"no image {image_id!r} in this store")
        return memoryview(data)

    def _get(self, image_id: str) -> memoryview | None:
        with _told_of_damage(self.path):
            return self._transaction.get(image_id.encode())

    def __enter__(self) -> RegionStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[RegionStore], tuple[Path]]:
        return RegionStore, (self.path,)


class RegionStoreWriter:
    """Writes a store beside its final place and moves it there when the block ends without an error.

    What was added stays in ``<path>.partial`` when the process dies, and is there again when the same store is
    written anew: ``ids()`` tells what can be skipped.
    """

    def __init__(self, path: str | Path, spec: FeatureSpec) -> None:
        import lmdb

        self.path, self.spec = Path(path), spec
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._discard_other(spec)
        self.partial.mkdir(parents=True, exist_ok=True)
        write_json(self.partial / "spec.json", asdict(spec))
        self._environment = lmdb.open(str(self.partial / DATA_NAME), subdir=False, map_size=_MAP_GROWTH, lock=False)

    def add(self, image_id: str, regions: Regions) -> None:
        """Store one image.

        Raises:
            ValueError: the arrays do not have the sizes of the store's features, or the id is empty or too long.
        """
        self.add_many([(image_id, regions)])

    def add_many(self, records: list[tuple[str, Regions]]) -> None:
        """Store several images in one durable transaction.

        Raises:
            ValueError: as :meth:`check`.
        """
        for image_id, regions in records:
            self.check(image_id, (regions.features.shape[1], regions.class_probabilities.shape[1]))
        self.add_encoded([(image_id, encode_record(regions)) for image_id, regions in records])

    def check(self, image_id: str, sizes: tuple[int, int]) -> None:
        """Refuse what the store cannot hold.

        Raises:
            ValueError: ``sizes`` of features and classes are not the store's, or the id is empty or too long.
        """
        if sizes != (self.spec.feature_size, self.spec.num_classes):
            raise ValueError(f"{image_id}: feature and class sizes {sizes}, the store has {self.spec}")
        length = len(image_id.encode())
        if not 1 <= length <= _LONGEST_KEY:
            raise ValueError(f"image id {image_id[:40]!r} of {length} bytes, a store takes 1 to {_LONGEST_KEY}")

    def add_encoded(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Store images that are checked, as :func:`encode_record` writes them, in one durable transaction."""
        import lmdb

        encoded = [(image_id.encode(), data) for image_id, data in records]
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in encoded:
                        transaction.put(key, value)
                return
            except lmdb.MapFullError:
                self._environment.set_mapsize(self._environment.info()["map_size"] + _MAP_GROWTH)

    def ids(self) -> set[str]:
        """Images added so far, those of an interrupted run included."""
        with self._environment.begin() as transaction:
            return {key.decode() for key in transaction.cursor().iternext(values=False)}

    def finish(self, about: dict[str, Any] | None = None) -> None:
        """Move the store into place. ``about`` goes into meta.json."""
        if not self.ids():
            self.close()
            raise InputError.at(self.path, "no image was added to this store")
        compact = self.partial / "compact.mdb"
        compact.unlink(missing_ok=True)
        self._environment.copy(str(compact), compact=True)
        self.close()
        os.replace(compact, self.partial / DATA_NAME)
        (self.partial / "spec.json").unlink(missing_ok=True)
        size = (self.partial / DATA_NAME).stat().st_size
        meta = {"format_version": FORMAT_VERSION, "spec": asdict(self.spec), "data_bytes": size, "about": about or {}}
        write_json(self.partial / META_NAME, meta)
        old = self.path.with_name(self.path.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            os.replace(self.path, old)  # at every moment one of the two is whole
        os.replace(self.partial, self.path)
        shutil.rmtree(old, ignore_errors=True)

    def close(self) -> None:
        """Close the file and keep what was added in ``<path>.partial``."""
        self._environment.close()

    def discard(self) -> None:
        """Close the file and throw away what was added."""
        self.close()
        shutil.rmtree(self.partial)

    def _discard_other(self, spec: FeatureSpec) -> None:
        """A partial store of other features is of no use here."""
        if self.partial.exists():
            known = self.partial / "spec.json"
            if not known.is_file() or read_json(known) != asdict(spec):
                shutil.rmtree(self.partial)

    def __enter__(self) -> RegionStoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()


@contextlib.contextmanager
def _told_of_damage(path: Path) -> Iterator[None]:
    """LMDB's complaints about its pages, and keys that are no text, as one line that names the store."""
    import lmdb

    try:
        yield
    except (lmdb.Error, UnicodeDecodeError) as error:
        raise InputError.at(path / DATA_NAME, f"the file is damaged ({error})") from error


def verify_store(path: str | Path) -> Iterator[tuple[str, Regions]]:
    """Read every record of a store and check it: lengths, checksum, finite numbers, boxes inside the image.

    Raises:
        InputError: naming the first damaged record.
    """
    with RegionStore(path) as store:
        for image_id in store.ids():
            regions = store[image_id]
            if fault := _fault(regions, store.spec):
                raise InputError.at(path, f"record {image_id!r}: {fault}")
            yield image_id, regions


def _fault(regions: Regions, spec: FeatureSpec) -> str | None:
    if (regions.features.shape[1], regions.class_probabilities.shape[1]) != (spec.feature_size, spec.num_classes):
        return "feature or class size differs from the store's"
    for name in ("features", "boxes", "class_probabilities"):
        if not np.isfinite(getattr(regions, name)).all():
            return f"{name} are not finite"
    x1, y1, x2, y2 = regions.boxes.T
    inside = (x1 >= 0) & (y1 >= 0) & (x2 <= regions.image_width + 1) & (y2 <= regions.image_height + 1)
    if not (inside & (x2 >= x1) & (y2 >= y1)).all():
        return "a box lies outside the image"
    return None


def _read_meta(path: Path) -> dict[str, Any]:
    meta = read_json(path / META_NAME)
    keys = {"format_version", "spec", "data_bytes"}
    if not isinstance(meta, dict) or not keys <= set(meta):
        raise InputError.at(path / META_NAME, f"expected the keys {', '.join(sorted(keys))}")
    if meta["format_version"] != FORMAT_VERSION:
        raise InputError.at(path / META_NAME, f"format_version {meta['format_version']!r}, expected {FORMAT_VERSION}")
    fields = set(FeatureSpec.__dataclass_fields__)
    if not isinstance(meta["spec"], dict) or set(meta["spec"]) != fields:
        raise InputError.at(path / META_NAME, f"spec: expected the keys {', '.join(sorted(fields))}")
    return meta


def _open(path: Path, expected_bytes: int) -> Any:
    import lmdb

    data = path / DATA_NAME
    found = data.stat().st_size if data.is_file() else 0
    if found != expected_bytes:
        raise InputError.at(data, f"{found} bytes, expected {expected_bytes}: the file is damaged")
    try:
        return lmdb.open(str(data), subdir=False, readonly=True, lock=False, readahead=False, max_readers=512)
    except lmdb.Error as error:
        raise InputError.at(data, f"not a readable LMDB file ({error})") from error
