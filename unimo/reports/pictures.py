"""Pictures made small and put into the page itself."""

from __future__ import annotations

import base64
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
