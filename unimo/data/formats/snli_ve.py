"""SNLI-VE (Xie et al., 2019): `snli_ve_<split>.jsonl`, sentences of SNLI about photographs of Flickr30k.

The label `-` says that the annotators did not agree; such a record has none. An image's id is its file name without the
suffix, as in Flickr30k itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import string
from unimo.data.records import EntailmentRecord

IMAGE_FIELDS = ("Flickr30K_ID", "Flickr30kID", "Flikr30kID")
"""The field has been spelled in several ways."""

NO_AGREEMENT = "-"


def record_of(line_id: str, fields: dict[str, Any]) -> EntailmentRecord | None:
    """The record of a line; None where it is not one of SNLI-VE.

    Raises:
        KeyError: a field is missing.
        ValueError: a field is no text.
    """
    image = next((fields[name] for name in IMAGE_FIELDS if name in fields), None)
    if image is None:
        return None
    label = string(fields.get("gold_label", NO_AGREEMENT), "gold_label")
    return EntailmentRecord(
        str(fields.get("pairID", line_id)),
        Path(str(image)).stem,
        string(fields["sentence2"], "sentence2"),
        "" if label == NO_AGREEMENT else label,
    )
