"""One rule for what an image is called, whoever names it: a dataset's records, a folder of pictures, a feature file.

COCO's photograph 391895 is ``val2014/COCO_val2014_000000391895`` in the release of 2014, ``train2017/000000391895`` in
that of 2017, and ``391895`` in bottom-up-attention files. All have the key ``391895``. In the same way Flickr30k's
``flickr30k-images/1000092795.jpg`` is ``1000092795``, and Visual Genome's ``VG_100K_2/2`` is ``VG_100K/2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from unimo.errors import InputError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# folders as COCO, Visual Genome and Flickr30k are unpacked; other folders are part of a name, or cats/1 could stand in
# for dogs/1
_DATASET_FOLDER = re.compile(r"(train|val|test|unlabeled)20\d\d|flickr30k[-_]images|VG_100K(_2)?")
_COCO_NAME = re.compile(r"(COCO_[a-z]+20\d\d_)?(\d{12})")


def image_key(image_id: str) -> str:
    """What the names of an image have in common.

    A picture's suffix is dropped, the folder of a known dataset with all above it, and of COCO's twelve digits the
    leading zeros with what stands before them; both folders of Visual Genome count as one.
    """
    parts = image_id.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if _DATASET_FOLDER.fullmatch(parts[place]):
            # the numbers of Visual Genome are not COCO's, and both are pre-trained on
            parts = [*(["VG_100K"] if parts[place].startswith("VG") else []), *parts[place + 1 :]]
            break
    suffix = next((end for end in PICTURE_SUFFIXES if parts[-1].lower().endswith(end)), "")
    name = parts[-1][: len(parts[-1]) - len(suffix)]
    if found := _COCO_NAME.fullmatch(name):
        name = str(int(found[2]))
    return "/".join([*parts[:-1], name])


class ImageNames:
    """Finds the id that an image has in one place by the id it has in another."""

    def __init__(self, image_ids: Iterable[str], place: str) -> None:
        """``place`` names where the ids are from, for errors."""
        self._place = place
        self._ids = set(image_ids)
        self._by_key: dict[str, list[str]] = {}
        for image_id in sorted(self._ids):
            self._by_key.setdefault(image_key(image_id), []).append(image_id)

    def find(self, image_id: str) -> str | None:
        """The same id where it is there, else the only one with the same key, else None.

        Raises:
            InputError: several have that key.
        """
        if image_id in self._ids:
            return image_id
        found = self._by_key.get(image_key(image_id), [])
        if len(found) > 1:
            raise InputError(f"{self._place}: image {image_id!r} could be {found[0]!r} or {found[1]!r}")
        return found[0] if found else None

    def absent(self, image_ids: Iterable[str]) -> list[str]:
        """Those images that are not there under any name."""
        return [image_id for image_id in image_ids if self.find(image_id) is None]
