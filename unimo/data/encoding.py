"""The token ids of records: those that the file holds, or else what the tokenizer makes of their texts."""

from __future__ import annotations

from collections.abc import Sequence

from unimo.data.records import CaptionRecord, DialogueRecord, EntailmentRecord, GenerationRecord
from unimo.tokenization import UnimoTokenizer

TokenIds = Sequence[int]
_Text = tuple[str, TokenIds | None]


def caption_token_ids(records: Sequence[CaptionRecord], tokenizer: UnimoTokenizer) -> list[TokenIds]:
    """The ids of every caption of every record, in one list."""
    return _encode([text for record in records for text in _captions(record)], tokenizer)


def hypothesis_token_ids(records: Sequence[EntailmentRecord], tokenizer: UnimoTokenizer) -> list[TokenIds]:
    """The ids of every record's sentence."""
    return _encode([(record.hypothesis, record.hypothesis_token_ids) for record in records], tokenizer)


def generation_token_ids(
    records: Sequence[GenerationRecord | DialogueRecord], tokenizer: UnimoTokenizer, with_targets: bool = True
) -> list[list[TokenIds]]:
    """The ids of every record's texts: its sources, or knowledge and turns, then the target where it is asked for."""
    texts = [_generation_texts(record, with_targets) for record in records]
    encoded = iter(_encode([text for each in texts for text in each], tokenizer))
    return [[next(encoded) for _ in each] for each in texts]


def _encode(texts: Sequence[_Text], tokenizer: UnimoTokenizer) -> list[TokenIds]:
    encoded = iter(tokenizer.encode_batch([text for text, ids in texts if ids is None]))
    return [next(encoded) if ids is None else ids for _, ids in texts]


def _captions(record: CaptionRecord) -> list[_Text]:
    return _paired(record.captions, record.caption_token_ids)


def _generation_texts(record: GenerationRecord | DialogueRecord, with_target: bool) -> list[_Text]:
    if isinstance(record, DialogueRecord):
        given = [(record.knowledge, record.knowledge_token_ids), *_paired(record.turns, record.turn_token_ids)]
    else:
        given = _paired(record.sources, record.source_token_ids)
    return [*given, (record.target or "", record.target_token_ids)] if with_target else given


def _paired(texts: Sequence[str], token_ids: Sequence[TokenIds] | None) -> list[_Text]:
    return list(zip(texts, [None] * len(texts) if token_ids is None else token_ids, strict=True))
