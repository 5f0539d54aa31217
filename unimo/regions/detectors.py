"""Detectors by name, kept beside a store as a folder: detector.json and what else it needs (codebook.npz)."""

from __future__ import annotations

from pathlib import Path

from unimo.errors import InputError
from unimo.files import atomic_folder, read_json, write_json
from unimo.regions.detector import Detector
from unimo.regions.proposals.codebook import Codebook
from unimo.regions.proposals.detector import NAME, ProposalDetector
from unimo.regions.proposals.options import ProposalOptions

FOLDER_NAME = "detector"


def save_detector(detector: ProposalDetector, folder: str | Path) -> None:
    """Write what builds the detector again."""
    with atomic_folder(folder) as temporary:
        write_json(temporary / "detector.json", dict(detector.description()))
        if detector.codebook is not None:
            detector.codebook.save(temporary / "codebook.npz")


def load_detector(folder: str | Path) -> Detector:
    """The detector saved in a folder.

    Raises:
        InputError: there is none, or it is one that cannot run here (bottom-up-attention features are imported).
    """
    path = Path(folder) / "detector.json"
    if not path.is_file():
        raise InputError.at(folder, "no detector: these features were imported, so other images cannot be described")
    values = read_json(path)
    if not isinstance(values, dict) or values.get("name") != NAME:
        raise InputError.at(path, f"expected the detector {NAME!r}")
    try:
        options = ProposalOptions(**values["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.at(path, f"wrong options ({error})") from error
    return ProposalDetector(options, Codebook.load(Path(folder) / "codebook.npz"))
