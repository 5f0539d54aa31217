"""Learning the merges of a byte-level BPE dictionary from texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from unimo.errors import InputError
from unimo.tokenization.corpus import is_encodable
from unimo.tokenization.vocabulary import BYTE_ALPHABET, CLS, MASK, PAD, SEP, UNK, Vocabulary

SMALLEST_VOCABULARY = len(BYTE_ALPHABET) + 5
_BATCH = 1000  # texts handed to the engine at a time


def learn_vocabulary(texts: Iterable[str], vocab_size: int, min_frequency: int = 2) -> Vocabulary:
    """Learn a dictionary of at most ``vocab_size`` entries, special tokens and the 256 bytes included.

    Its order follows the release: [CLS] 0, [PAD] 1, [SEP] 2, [UNK] 3, then the bytes and the merges, [MASK] last.
    The same texts give the same dictionary in every process: the engine orders pairs of equal frequency by their
    ids, which are the order of the bytes and of the merges before (tested over processes and orders of texts).

    Args:
        texts: the texts, read once.
        vocab_size: at least 261. Fewer entries come back when the texts hold no more pairs to merge.
        min_frequency: how often a pair must occur to be merged.

    Raises:
        InputError: ``vocab_size`` or ``min_frequency`` is too small, no text was given, or one is not proper Unicode.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise InputError(
            f"vocab_size: at least {SMALLEST_VOCABULARY} (256 bytes and 5 special tokens), got {vocab_size}"
        )
    if min_frequency < 1:
        raise InputError(f"min_frequency: at least 1, got {min_frequency}")
    first = (CLS, PAD, SEP, UNK)
    engine = Tokenizer(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # without [MASK], which the engine would number 4
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        min_frequency=min_frequency,
        special_tokens=list(first),
        initial_alphabet=list(BYTE_ALPHABET),
        show_progress=False,
    )
    engine.train_from_iterator(_batches(texts), trainer)
    model = json.loads(engine.to_str())["model"]
    learned = sorted(model["vocab"], key=model["vocab"].__getitem__)
    assert tuple(learned[:4]) == first
    return Vocabulary((*learned, MASK), tuple((left, right) for left, right in model["merges"]), (*first, MASK))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    number = 0
    while batch := list(islice(stream, _BATCH)):
        for text in batch:
            number += 1
            if not is_encodable(text):
                raise InputError(f"text {number} of the training texts holds half of a surrogate pair: {text[:60]!r}")
        yield batch
    if number == 0:
        raise InputError("no texts to train a dictionary on")
