"""A fixed description of what is in a box: colour, silhouette, gradients and texture, without its place.

Blocks are weighted so that none drowns another (variances over the drawn world's objects: colour 29, silhouette 27,
gradients 12, texture 54, size 1), joined, and turned by a seeded random orthogonal matrix into
``feature_size`` numbers.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

Array = np.ndarray

SIDE = 32  # pixels of the square that every crop is scaled to
GRADIENT_CELLS, GRADIENT_BINS = 4, 8
MASK_SIDE = 8
COLOUR_BINS = 12


def describe(image: Array, boxes: Array, feature_size: int, seed: int) -> Array:
    """[H, W, 3] uint8 BGR and [R, 4] pixel boxes -> [R, feature_size] float32."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    background = _background(lab)
    blocks = np.stack([_blocks(lab, box, background) for box in boxes])
    return (blocks @ _projection(blocks.shape[1], feature_size, seed)).astype(np.float32)


def _background(lab: Array) -> Array:
    """[3] median colour along the picture's border."""
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]]).astype(np.float32)
    return np.median(border, axis=0)


def _blocks(lab: Array, box: Array, background: Array) -> Array:
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    crop = lab[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    square = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    foreground = _foreground(square, background)
    size = np.sqrt(max(1, (x2 - x1) * (y2 - y1)) / (lab.shape[0] * lab.shape[1]))
    aspect = np.log(max(1, x2 - x1) / max(1, y2 - y1))
    return np.concatenate(
        [
            2.0 * _colour(square, foreground),
            2.0 * _silhouette(foreground),
            _gradients(foreground * 255, square[:, :, 0]),
            3.0 * _texture(square[:, :, 0], foreground, crop),
            np.asarray([16.0 * size, aspect]),
        ]
    )


def _foreground(square: Array, background: Array) -> Array:
    """[SIDE, SIDE] weights in [0, 1]: how surely a pixel is not the picture's background."""
    distance = np.linalg.norm(square - background, axis=2)
    return 1 / (1 + np.exp(-(distance - 16) / 4))


def _colour(square: Array, foreground: Array) -> Array:
    """Mean and spread of the foreground's Lab colour, and soft histograms of its hue and lightness."""
    weights = foreground / max(1e-6, foreground.sum())
    mean = np.einsum("hw,hwc->c", weights, square)
    spread = np.sqrt(np.einsum("hw,hwc->c", weights, (square - mean) ** 2))
    a, b = square[:, :, 1] - 128, square[:, :, 2] - 128
    hue = np.arctan2(b, a) / (2 * np.pi) % 1.0
    chroma = np.minimum(1.0, np.hypot(a, b) / 40)
    hues = _soft_histogram(hue, weights * chroma, cyclic=True)
    lightness = _soft_histogram(square[:, :, 0] / 255, weights, cyclic=False)
    return np.concatenate([(mean - (128, 128, 128)) / 40, spread / 30, 2 * hues, 2 * lightness])


def _soft_histogram(values: Array, weights: Array, cyclic: bool) -> Array:
    """Histogram of values in [0, 1] in which each pixel is shared between its two nearest bins."""
    place = values * COLOUR_BINS if cyclic else values * (COLOUR_BINS - 1)
    low = np.floor(place).astype(np.int64)
    share = place - low
    high = (low + 1) % COLOUR_BINS if cyclic else np.minimum(low + 1, COLOUR_BINS - 1)
    low = low % COLOUR_BINS
    flat = np.bincount(low.ravel(), ((1 - share) * weights).ravel(), COLOUR_BINS)
    return np.sqrt(flat + np.bincount(high.ravel(), (share * weights).ravel(), COLOUR_BINS))


def _silhouette(foreground: Array) -> Array:
    """The foreground at MASK_SIDE x MASK_SIDE, centred, and its filled share."""
    small = cv2.resize(foreground, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
    return np.concatenate([(small - 0.5).ravel(), [2 * foreground.mean() - 1]])


def _gradients(outline: Array, lightness: Array) -> Array:
    """Orientation histograms by cell, of the silhouette's outline and of the lightness (HOG)."""
    return np.concatenate([_orientations(outline.astype(np.float32)), 0.5 * _orientations(lightness)])


def _orientations(channel: Array) -> Array:
    dx, dy = cv2.Sobel(channel, cv2.CV_32F, 1, 0), cv2.Sobel(channel, cv2.CV_32F, 0, 1)
    strength = np.hypot(dx, dy)
    angle = np.arctan2(dy, dx) / np.pi % 1.0
    bins = np.minimum((angle * GRADIENT_BINS).astype(np.int64), GRADIENT_BINS - 1)
    cell = SIDE // GRADIENT_CELLS
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] // cell
    index = (rows * GRADIENT_CELLS + columns) * GRADIENT_BINS + bins
    histogram = np.bincount(index.ravel(), strength.ravel(), GRADIENT_CELLS**2 * GRADIENT_BINS)
    return 4.0 * np.sqrt(histogram / max(1e-6, histogram.sum()))


def _texture(lightness: Array, foreground: Array, crop: Array) -> Array:
    """Inside the object: variation of lightness at three scales, along both axes, and its distribution."""
    inside = cv2.erode((foreground > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    weight = inside / max(1.0, inside.sum())
    measures = []
    for sigma in (0.0, 1.0, 2.0):
        smooth = lightness if sigma == 0 else cv2.GaussianBlur(lightness, (0, 0), sigma)
        for dx, dy in ((1, 0), (0, 1)):
            slope = np.abs(cv2.Sobel(smooth, cv2.CV_32F, dx, dy))
            measures.append(float((slope * weight).sum()) / 40)
        mean = float((smooth * weight).sum())
        measures.append(float(np.sqrt((((smooth - mean) ** 2) * weight).sum())) / 15)
    curvature = np.abs(cv2.Laplacian(lightness, cv2.CV_32F))
    measures.append(float((curvature * weight).sum()) / 40)
    mean = float((lightness * weight).sum())
    deviation = float(np.sqrt((((lightness - mean) ** 2) * weight).sum()))
    skewness = float((((lightness - mean) ** 3) * weight).sum()) / max(1.0, deviation) ** 3
    return np.asarray([*measures, 0.5 * skewness])


@functools.lru_cache(maxsize=4)
def _projection(num_inputs: int, feature_size: int, seed: int) -> Array:
    """[num_inputs, feature_size] with orthonormal rows (or columns, when it narrows)."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((max(num_inputs, feature_size), min(num_inputs, feature_size))))
    matrix = q.T if num_inputs < feature_size else q
    return matrix * np.sqrt(max(num_inputs, feature_size) / num_inputs)
