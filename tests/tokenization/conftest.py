from __future__ import annotations

from pathlib import Path

import pytest

from unimo.tokenization import UnimoTokenizer

TEXTS = [
    "a small red circle is to the left of a big blue square",
    "the man's dog isn't here: he left at 5:30pm!",
    "Two women, one café and three naïve cats… [MASK] is only text",
    "数字 1234 and a red square under the blue circle",
] * 5


@pytest.fixture(scope="session")
def released(shared: Path) -> UnimoTokenizer:
    return UnimoTokenizer.from_release(shared / "data" / "unimo_dict")


@pytest.fixture(scope="session")
def trained() -> UnimoTokenizer:
    return UnimoTokenizer.train(TEXTS, vocab_size=340)
