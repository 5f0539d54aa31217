"""Trigram blocking over whole words: which candidates would repeat three words that a hypothesis already holds."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


class TrigramBlocker:
    """Words are runs of tokens of which only the first opens a word (its text starts with a space)."""

    def __init__(self, opens_word: Array) -> None:
        """``opens_word`` [V] bool, from the dictionary."""
        self.opens_word = opens_word

    def __call__(self, histories: Array, candidates: Array) -> Array:
        """[N, length] token ids and [N, C] candidates -> [N, C] bool: the candidate repeats a trigram."""
        blocked = np.zeros(candidates.shape, bool)
        for row, history in enumerate(histories):
            for column, candidate in enumerate(candidates[row]):
                blocked[row, column] = self.repeats([*history.tolist(), int(candidate)])
        return blocked

    def repeats(self, token_ids: list[int]) -> bool:
        """Whether the last three words (the last one maybe unfinished) stand earlier in the sequence too."""
        words: list[tuple[int, ...]] = []
        for token in token_ids:
            if not words or self.opens_word[token]:
                words.append((token,))
            else:
                words[-1] += (token,)
        if len(words) <= 3:
            return False
        last = tuple(words[-3:])
        return any(tuple(words[start : start + 3]) == last for start in range(len(words) - 3))
