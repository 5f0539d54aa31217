"""Pictures made small and put into the page itself."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

LONGEST_SIDE = 160  # pixels; a hundred such pictures keep the page below a megabyte or two
JPEG_QUALITY = 85


def thumbnail_uri(path: Path) -> str | None:
    """A data URI of the picture with its longer side at most 160 pixels; None where it cannot be read.

    Drawings are smaller as PNG and stay sharp, photographs are smaller as JPEG: the smaller one is taken.
    """
    import cv2

    from unimo.regions.extract import read_image

    picture = read_image(path)
    if picture is None:
        return None
    height, width = picture.shape[:2]
    factor = LONGEST_SIDE / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    kind, data = ("png", png.tobytes()) if len(png) <= len(jpeg) else ("jpeg", jpeg.tobytes())
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


class Pictures:
    """Image elements, each file read once; what could not be shown is counted."""

    def __init__(self) -> None:
        self._uris: dict[Path, str | None] = {}
        self._absent: set[str] = set()

    def element(self, path: Path | None, image_id: str) -> str:
        """The picture, or a place that says that there is none."""
        if path is not None and path not in self._uris:
            self._uris[path] = thumbnail_uri(path)
        uri = self._uris[path] if path is not None else None
        if uri is None:
            self._absent.add(image_id)
            return f'<span class="absent">no picture<br>{escape(image_id)}</span>'
        return f'<img src="{uri}" alt="image {escape(image_id)}" title="{escape(image_id)}" loading="lazy">'

    def notes(self) -> list[str]:
        """What could not be shown, in words."""
        absent = sorted(self._absent)
        shown = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        return [f"Pictures that are missing or could not be read: {len(absent)} ({shown})."] if absent else []
