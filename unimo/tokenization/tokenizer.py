"""The tokenizer of UNIMO: byte-level BPE with ERNIE's special tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from unimo.errors import InputError
from unimo.files import atomic_write
from unimo.runtime.settings import usable_cores
from unimo.tokenization.corpus import TextFiles, is_encodable
from unimo.tokenization.encoding import Encoding, align
from unimo.tokenization.formats import FILE_NAME, parse_tokenizer_json, read_release, read_tokenizer_json
from unimo.tokenization.phrases import PhraseFinder, find_phrases
from unimo.tokenization.training import learn_vocabulary
from unimo.tokenization.vocabulary import CLS, MASK, PAD, SEP, SPACE, UNK, Vocabulary
from unimo.tokenization.word_ids import WordIds

LARGE_BATCH = 256  # texts that are worth several threads
THREADS_OF_WORDS = 4  # of the engine, that are about as quick together as one that looks words up


class UnimoTokenizer:
    """Text <-> ids with the ids and the decoding of the original release.

    Nothing is lower-cased, stripped or normalised (the released models saw lower-cased data, but the release's
    tokenizer lower-cases nothing), and no space is put in front: the first word of a text has its no-space id.
    Special tokens written in a text are ordinary text. Pickles and copies give the same tokenizer.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._engine = _build_engine(vocabulary)
        self._words = WordIds(self._engine)
        ids = vocabulary.ids
        self.cls_id, self.pad_id, self.sep_id, self.unk_id, self.mask_id = (ids[t] for t in (CLS, PAD, SEP, UNK, MASK))
        self.special_ids = tuple(ids[token] for token in vocabulary.specials)
        self.word_starts = np.array([token.startswith(SPACE) for token in vocabulary.tokens], dtype=bool)
        """bool [V]: entries whose decoded text starts with a space, and so open a new word."""
        self._byte_lengths = np.array([len(token) for token in vocabulary.tokens], dtype=np.int64)
        self.word_starts.flags.writeable = False

    @classmethod
    def from_release(cls, folder: str | Path) -> UnimoTokenizer:
        """Load the released dictionary: one ``*encoder.json``, ``*vocab.bpe`` and ``*vocab.txt`` in ``folder``.

        Raises:
            InputError: a file is missing or malformed, or the three do not fit together.
        """
        return cls(read_release(folder))

    @classmethod
    def from_pretrained(cls, path: str | Path) -> UnimoTokenizer:
        """Load what :meth:`save_pretrained` wrote: a folder with a tokenizer.json, or the file itself.

        Raises:
            InputError: the file is missing, damaged, or not a byte-level BPE dictionary with UNIMO's special tokens.
        """
        return cls(read_tokenizer_json(path))

    @classmethod
    def train(cls, files_or_texts: Iterable[str | Path], vocab_size: int, min_frequency: int = 2) -> UnimoTokenizer:
        """Learn a dictionary from texts (strings) or files (``Path``: .txt or .jsonl, possibly .gz; see TextFiles).

        The result has at most ``vocab_size`` entries, fewer if the texts hold no more pairs that occur
        ``min_frequency`` times; it depends on nothing but the texts. See :func:`learn_vocabulary` for the order of ids.

        Raises:
            InputError: a file is missing or malformed, there is no text, or ``vocab_size`` is below 261.
        """
        texts = (text for item in files_or_texts for text in (TextFiles([item]) if isinstance(item, Path) else (item,)))
        return cls(learn_vocabulary(texts, vocab_size, min_frequency))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write ``tokenizer.json`` into ``folder``, atomically, and return its path.

        The file also loads with Hugging Face's ``tokenizers``; there, special tokens written in a text become special
        ids unless ``encode_special_tokens`` is set, for the format does not hold that setting.
        """
        path = Path(folder) / FILE_NAME
        with atomic_write(path) as stream:
            stream.write(self._engine.to_str(pretty=True) + "\n")
        return path

    @property
    def vocab_size(self) -> int:
        """Number of entries, special tokens included."""
        return len(self.vocabulary.tokens)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the dictionary (see Vocabulary.fingerprint), however it was loaded."""
        return self.vocabulary.fingerprint

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"UnimoTokenizer(vocab_size={self.vocab_size}, fingerprint={self.fingerprint!r})"

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Ids of ``text``; with ``add_special_tokens`` as ``[CLS] text [SEP]``.

        Raises:
            InputError: the text holds half of a surrogate pair, which is no character and has no bytes.
        """
        # not a batch of one: that counts as use of threads, after which every fork prints a warning
        try:
            ids = self._engine.encode(text, add_special_tokens=False).ids
        except TypeError:
            _refuse_surrogates([text])
            raise
        return [self.cls_id, *ids, self.sep_id] if add_special_tokens else ids

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = False) -> list[list[int]]:
        """Ids of each text, as :meth:`encode`: by the words met before, or by the engine.

        A word met before costs a quarter of one that is cut, so that with more than 4 cores the engine, which uses all
        of them, is quicker on large batches.

        Raises:
            InputError: as :meth:`encode`; the message shows the start of the text.
        """
        texts = list(texts)
        by_words = len(texts) < LARGE_BATCH or _engine_threads() <= THREADS_OF_WORDS
        looked_up = [self._words.encode(each) if by_words and isinstance(each, str) else None for each in texts]
        others = [text for text, ids in zip(texts, looked_up, strict=True) if ids is None]
        try:
            encodings = iter(self._engine.encode_batch_fast(others, add_special_tokens=False) if others else ())
        except TypeError:
            _refuse_surrogates(others)
            raise
        found = [next(encodings).ids if ids is None else ids for ids in looked_up]
        if not add_special_tokens:
            return found
        return [[self.cls_id, *ids, self.sep_id] for ids in found]

    def encode_with_offsets(self, text: str, phrases: bool | PhraseFinder = False) -> Encoding:
        """Ids of ``text`` with the characters, words and masking units of its tokens.

        Args:
            text: any text.
            phrases: False: units are words; True: phrases of :func:`find_phrases` are units, and words elsewhere; or
                a function that finds the phrases.

        Raises:
            InputError: as :meth:`encode`.
        """
        finder = find_phrases if phrases is True else phrases
        return align(text, self.encode(text), self._byte_lengths, finder(text) if finder else ())

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text of ``ids``, as the release decodes: nothing is stripped, bytes that are not UTF-8 become U+FFFD.

        Special tokens are spelled out unless ``skip_special_tokens``.

        Raises:
            ValueError: an id is not in the dictionary.
        """
        numbers = [int(number) for number in ids]
        for number in numbers:
            self._check_id(number)
        return self._engine.decode(numbers, skip_special_tokens=skip_special_tokens)

    def decode_batch(self, batch: Iterable[Iterable[int]], skip_special_tokens: bool = False) -> list[str]:
        """The text of each sequence of ids, as :meth:`decode`."""
        return [self.decode(ids, skip_special_tokens) for ids in batch]

    def id_to_token(self, token_id: int) -> str:
        """The entry with this id, spelled in the byte alphabet (a space is written as a G with a dot).

        Raises:
            ValueError: the id is not in the dictionary.
        """
        self._check_id(int(token_id))
        return self.vocabulary.tokens[int(token_id)]

    def token_to_id(self, token: str) -> int | None:
        """The id of an entry spelled in the byte alphabet, or None."""
        return self.vocabulary.ids.get(token)

    def opens_word(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Which of ``ids`` (any shape) open a new word, bool of the same shape (see ``word_starts``).

        This is the rule of the release's trigram blocking: punctuation and special tokens are glued to the word before
        them.
        """
        return self.word_starts[np.asarray(ids, dtype=np.int64)]

    def _check_id(self, number: int) -> None:
        if not 0 <= number < self.vocab_size:
            raise ValueError(f"token id {number} is outside the dictionary of {self.vocab_size} entries")

    def __getstate__(self) -> dict[str, Any]:
        return {"tokenizer_json": self._engine.to_str()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # the engine's own pickle would lose encode_special_tokens
        self.__init__(parse_tokenizer_json(json.loads(state["tokenizer_json"]), "pickle"))  # type: ignore[misc]


def _engine_threads() -> int:
    if os.environ.get("TOKENIZERS_PARALLELISM", "").lower() in ("0", "off", "false", "no"):
        return 1
    given = os.environ.get("RAYON_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else usable_cores()


def _refuse_surrogates(texts: Sequence[str]) -> None:
    """Raise InputError for the first string without a UTF-8 form, which the engine answers with a TypeError."""
    for text in texts:
        if isinstance(text, str) and not is_encodable(text):
            raise InputError(f"a text holds half of a surrogate pair: {text[:60]!r}")


def _build_engine(vocabulary: Vocabulary) -> Tokenizer:
    engine = Tokenizer(models.BPE(vocabulary.ids, list(vocabulary.merges), unk_token=UNK))
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    engine.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in vocabulary.specials])
    # a literal "[MASK]" in a text must not become the id of [MASK]; not part of tokenizer.json, so set on every load
    engine.encode_special_tokens = True
    assert engine.get_vocab_size() == len(vocabulary.tokens)
    return engine
