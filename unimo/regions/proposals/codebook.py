"""Soft class labels without a detector: distances to the centres of a k-means codebook fitted on the corpus."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unimo.errors import InputError
from unimo.files import atomic_write

Array = np.ndarray

MAX_SAMPLES = 20_000
# softmax sharpness: the nearest centre of a region gets most of the weight, its neighbours the rest
SHARPNESS = 4.0


@dataclass(frozen=True)
class Codebook:
    """Centres of region classes."""

    centres: Array  # [C, F] float32

    @classmethod
    def fit(cls, features: Array, num_classes: int, seed: int) -> Codebook:
        """k-means over features [N, F].

        Raises:
            InputError: fewer regions than classes.
        """
        import cv2

        if len(features) < num_classes:
            raise InputError(
                f"num_classes: {num_classes} classes cannot be found among {len(features)} regions; give more pictures,"
                " fewer --num_classes, or with --codebook the store of a model that is there"
            )
        sample = np.random.default_rng(seed).permutation(len(features))[:MAX_SAMPLES]
        cv2.setRNGSeed(seed)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1e-3)
        chosen = np.ascontiguousarray(features[np.sort(sample)], np.float32)
        labels = np.zeros((len(chosen), 1), np.int32)
        _, _, centres = cv2.kmeans(chosen, num_classes, labels, stop, 1, cv2.KMEANS_PP_CENTERS)
        return cls(np.asarray(centres, np.float32))

    def probabilities(self, features: Array) -> Array:
        """[R, F] -> [R, C]: softmax of minus the squared distance, relative to that of the nearest centre."""
        distances = ((features[:, None, :] - self.centres) ** 2).sum(axis=2)
        nearest = np.maximum(distances.min(axis=1, keepdims=True), 1e-6)
        logits = -SHARPNESS * (distances / nearest - 1)
        weights = np.exp(logits)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that tell codebooks apart."""
        return hashlib.sha256(np.ascontiguousarray(self.centres, "<f4").tobytes()).hexdigest()[:8]

    def save(self, path: str | Path) -> None:
        """Write the centres as .npz, atomically."""
        with atomic_write(path, "wb") as stream:
            np.savez_compressed(stream, centres=self.centres.astype("<f4"))

    @classmethod
    def load(cls, path: str | Path) -> Codebook:
        """Read a saved codebook; nothing in the file is executed.

        Raises:
            InputError: no such file, or not a codebook.
        """
        if not Path(path).is_file():
            raise InputError.at(path, "no such file")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                centres = arrays["centres"]
        except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError.at(path, f"not a codebook ({error})") from error
        if centres.ndim != 2:
            raise InputError.at(path, f"centres: shape {centres.shape}, expected two axes")
        return cls(centres.astype(np.float32))
