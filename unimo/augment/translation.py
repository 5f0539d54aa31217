"""Back-translation with CTranslate2 and a user's converted OPUS-MT models.

Optional: pip install ctranslate2 sentencepiece.

A folder is what `ct2-opus-mt-converter` or `ct2-transformers-converter` writes: `model.bin`, with the SentencePiece
models `source.spm` and `target.spm` of the OPUS-MT release beside it. Models are read, never downloaded.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from unimo.data.records import CaptionRecord
from unimo.errors import InputError

BEAM_SIZE = 4
MAX_LENGTH = 128


class Translator:
    """One direction."""

    def __init__(self, folder: str | Path) -> None:
        """Load a model.

        Raises:
            InputError: ctranslate2 or sentencepiece is not installed, or a file is missing.
        """
        self.folder = Path(folder)
        for name in ("model.bin", "source.spm", "target.spm"):
            if not (self.folder / name).is_file():
                raise InputError.at(
                    self.folder / name, "no such file; a folder needs model.bin, source.spm, target.spm"
                )
        self.source, self.target = (_sentence_pieces(self.folder / f"{side}.spm") for side in ("source", "target"))
        # one thread a process: the job has a process a core; int8 on CPU halves the time of float32
        self.model: Any = _optional("ctranslate2").Translator(
            str(self.folder), device="cpu", inter_threads=1, intra_threads=1
        )

    def translate(self, texts: list[str], num_best: int = 1) -> list[list[str]]:
        """For every text its ``num_best`` translations, best first."""
        tokens = [[*self.source.encode(text, out_type=str), "</s>"] for text in texts]
        beam = max(BEAM_SIZE, num_best)
        results = self.model.translate_batch(
            tokens, beam_size=beam, num_hypotheses=num_best, max_decoding_length=MAX_LENGTH, max_batch_size=64
        )
        return [[self.target.decode(hypothesis) for hypothesis in result.hypotheses] for result in results]


class BackTranslation:
    """English to another language, and its best translations back."""

    name = "back_translation"

    def __init__(self, there: str | Path, back: str | Path, num_best: int) -> None:
        self.there, self.back, self.num_best = Translator(there), Translator(back), num_best

    def positives(self, record: CaptionRecord) -> list[list[str]]:
        """See :class:`~unimo.augment.positives.PositiveProvider`."""
        foreign = [best[0] for best in self.there.translate(list(record.captions))]
        return self.back.translate(foreign, self.num_best)


def _sentence_pieces(path: Path) -> Any:
    return _optional("sentencepiece").SentencePieceProcessor(model_file=str(path))


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"positives.translate_to: needs {name}, which is not installed (pip install {name})"
        ) from error
