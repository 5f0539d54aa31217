"""Candidate boxes of an image: contours of what stands out from the background, stable blobs (MSER), and a grid.

Each source is plain OpenCV; candidates are scored by how much their inside differs from their surroundings, and
overlapping ones give way to the better.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

Array = np.ndarray

# sides longer than this are scaled down before looking for boxes; features are taken from the full picture
WORKING_SIDE = 320


def propose_boxes(image: Array, max_boxes: int, grid: int, min_area: float, max_overlap: float) -> Array:
    """[N, 4] float32 pixel boxes of a BGR image, best first, N <= max_boxes.

    Args:
        image: [H, W, 3] uint8.
        max_boxes: most boxes.
        grid: the picture cut into grid x grid cells, added last; 0 leaves the grid out.
        min_area: smallest box as a share of the picture.
        max_overlap: intersection over union above which the worse of two boxes is dropped.
    """
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB)
    found = np.concatenate([contour_boxes(lab), blob_boxes(lab)])
    found = _clean(found, lab.shape, min_area)
    chosen = suppress(found, contrast(lab, found), max_overlap, max_boxes)
    cells = grid_boxes(lab.shape, grid)
    boxes = np.concatenate([chosen, cells])[:max_boxes] / scale
    limits = np.asarray([width, height, width, height], np.float32)
    return np.minimum(boxes, limits).astype(np.float32)


def background_distance(lab: Array) -> Array:
    """[H, W] float32 distance of every pixel from the colours along the picture's border, in Lab units."""
    blurred = cv2.GaussianBlur(lab, (3, 3), 0).astype(np.float32)
    border = np.concatenate(
        [
            blurred[:2].reshape(-1, 3),
            blurred[-2:].reshape(-1, 3),
            blurred[:, :2].reshape(-1, 3),
            blurred[:, -2:].reshape(-1, 3),
        ]
    )
    return np.linalg.norm(blurred - np.median(border, axis=0), axis=2)


def contour_boxes(lab: Array) -> Array:
    """Boxes around connected areas that differ from the border's colour, at three thresholds, gaps closed."""
    distance = background_distance(lab)
    otsu, _ = cv2.threshold(np.clip(distance, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    boxes: list[Sequence[int]] = []
    for threshold in (max(8.0, 0.5 * otsu), max(10.0, otsu), max(14.0, 1.5 * otsu)):
        mask = (distance > threshold).astype(np.uint8)
        for cleaned in (mask, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)):
            contours, _ = cv2.findContours(cleaned, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            boxes += [cv2.boundingRect(contour) for contour in contours]
    return _corners(boxes)


def blob_boxes(lab: Array) -> Array:
    """Boxes of maximally stable extremal regions in lightness and both colour channels."""
    area = lab.shape[0] * lab.shape[1]
    finder = cv2.MSER.create(delta=8, min_area=max(30, area // 400), max_area=area // 2)
    boxes: list[Sequence[int]] = []
    for channel in range(3):
        _, found = finder.detectRegions(np.ascontiguousarray(lab[:, :, channel]))
        boxes += [[int(value) for value in box] for box in found]
    return _corners(boxes)


def grid_boxes(shape: tuple[int, ...], grid: int) -> Array:
    """The cells of a grid x grid cut of a picture."""
    rows = np.linspace(0, shape[0], grid + 1)
    columns = np.linspace(0, shape[1], grid + 1)
    cells = [(columns[j], rows[i], columns[j + 1], rows[i + 1]) for i in range(grid) for j in range(grid)]
    return np.asarray(cells, np.float32).reshape(-1, 4)


def contrast(lab: Array, boxes: Array) -> Array:
    """Score of each box: Lab distance between its mean colour and that of a frame around it, times its side, so
    that a whole object comes before its parts."""
    height, width = lab.shape[:2]
    sums = np.stack([cv2.integral(np.ascontiguousarray(lab[:, :, c]), sdepth=cv2.CV_64F) for c in range(3)], axis=2)

    def total(x1: Array, y1: Array, x2: Array, y2: Array) -> Array:
        return sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]

    x1, y1, x2, y2 = boxes.astype(np.int64).T
    margin_x, margin_y = np.maximum(3, (x2 - x1) // 4), np.maximum(3, (y2 - y1) // 4)
    outer = (
        np.maximum(0, x1 - margin_x),
        np.maximum(0, y1 - margin_y),
        np.minimum(width, x2 + margin_x),
        np.minimum(height, y2 + margin_y),
    )
    area = ((x2 - x1) * (y2 - y1)).astype(np.float64)[:, None]
    outer_area = ((outer[2] - outer[0]) * (outer[3] - outer[1])).astype(np.float64)[:, None]
    inside = total(x1, y1, x2, y2)
    around = (total(*outer) - inside) / np.maximum(1.0, outer_area - area)
    difference = np.linalg.norm(inside / np.maximum(1.0, area) - around, axis=1)
    return difference * np.sqrt(area[:, 0])


def suppress(boxes: Array, scores: Array, max_overlap: float, limit: int) -> Array:
    """Greedy suppression: the best boxes, none overlapping a better one by more than ``max_overlap``."""
    remaining = np.argsort(-scores, kind="stable")
    chosen: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(remaining) and len(chosen) < limit:
        best, remaining = remaining[0], remaining[1:]
        chosen.append(int(best))
        width = np.minimum(boxes[best, 2], boxes[remaining, 2]) - np.maximum(boxes[best, 0], boxes[remaining, 0])
        height = np.minimum(boxes[best, 3], boxes[remaining, 3]) - np.maximum(boxes[best, 1], boxes[remaining, 1])
        shared = np.clip(width, 0, None) * np.clip(height, 0, None)
        union = areas[best] + areas[remaining] - shared
        # a small box inside a chosen one (a stripe, a dot) is part of it
        nested = shared > 0.9 * np.minimum(areas[best], areas[remaining])
        part = nested & (np.minimum(areas[best], areas[remaining]) < 0.5 * np.maximum(areas[best], areas[remaining]))
        remaining = remaining[(shared <= max_overlap * union) & ~(part & (areas[remaining] < areas[best]))]
    return boxes[chosen]


def _clean(boxes: Array, shape: tuple[int, ...], min_area: float) -> Array:
    """Without tiny boxes, boxes of nearly the whole picture, and duplicates."""
    height, width = shape[:2]
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides[:, 0] * sides[:, 1] / (height * width)
    kept = boxes[(areas >= min_area) & (areas < 0.9) & (sides.min(axis=1) >= 4)]
    return np.unique(kept, axis=0).reshape(-1, 4)


def _corners(boxes: Sequence[Sequence[int]]) -> Array:
    """x, y, width, height -> x1, y1, x2, y2 float32."""
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    return array
