"""Generated ids as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unimo.generation.search import Hypothesis

if TYPE_CHECKING:
    from unimo.tokenization import UnimoTokenizer


def prediction_text(hypothesis: Hypothesis, tokenizer: UnimoTokenizer) -> str:
    """The hypothesis without special tokens, white space folded and stripped.

    The original keeps a leading space, and [SEP] in text generation.
    """
    text = tokenizer.decode([i for i in hypothesis.token_ids if i not in tokenizer.special_ids])
    return re.sub(r"\s+", " ", text).strip()
