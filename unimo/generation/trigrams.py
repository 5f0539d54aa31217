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
        return np.array([self._row(*pair) for pair in zip(histories.tolist(), candidates.tolist(), strict=True)], bool)

    def _row(self, history: list[int], candidates: list[int]) -> list[bool]:
        """Which candidates of one hypothesis close a trigram that stands earlier in it; its words are read once."""
        words = self.words(history)
        if len(words) < 3:
            return [False] * len(candidates)
        trigrams = list(zip(words, words[1:], words[2:], strict=False))
        # of a candidate that opens a word all trigrams stand before it; of one that goes on with the last word, only
        # those without that word
        known, known_before = set(trigrams), set(trigrams[:-1])
        (third, second, last), blocked = words[-3:], []
        for candidate in candidates:
            if self.opens_word[candidate]:
                blocked.append((second, last, (candidate,)) in known)
            else:
                blocked.append((third, second, (*last, candidate)) in known_before)
        return blocked

    def words(self, token_ids: list[int]) -> list[tuple[int, ...]]:
        """The tokens of each word; the last one may be unfinished."""
        words: list[tuple[int, ...]] = []
        for token in token_ids:
            if not words or self.opens_word[token]:
                words.append((token,))
            else:
                words[-1] += (token,)
        return words
