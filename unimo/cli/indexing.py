"""What the verbs of an index share: the model that makes its vectors, and adding to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unimo.errors import InputError

if TYPE_CHECKING:
    from unimo.data.records import CaptionRecord
    from unimo.inference.index import Entry, Side, VectorIndex
    from unimo.modeling import UnimoModel
    from unimo.training.task import TaskContext

COMMIT_ROWS = 4096  # vectors of one segment while a large set is encoded: what a killed run loses at most


@dataclass(frozen=True)
class Encoder:
    """A checkpoint at work, and what its inputs are made from."""

    context: TaskContext
    model: UnimoModel
    source: Path
    fingerprint: str

    def about(self, regions: Path | None) -> dict[str, Any]:
        """What an index tells of its vectors."""
        data = self.context.data
        return {
            "checkpoint": str(self.source),
            "fingerprint": self.fingerprint,
            "regions": str(regions) if regions else "",
            "max_regions": data.max_regions,
            "max_text_length": data.max_text_length,
        }


def load_encoder(checkpoint: Path, regions: Path | None, dual: bool = True) -> Encoder:
    """A checkpoint with all its heads, reading regions and texts as long as it was trained on.

    Raises:
        InputError: no checkpoint of a run, a store that does not fit it, or (``dual``) no head for encoding alone.
    """
    from unimo.cli.jobs import CONFIG_NAME, checkpoint_folder, load_job
    from unimo.modeling.pretrained import fingerprint
    from unimo.tasks.assembly import load_model
    from unimo.tasks.dual_encoding import require_dual

    job, _ = load_job((checkpoint_folder(checkpoint, with_job=True) / CONFIG_NAME,), [])
    context, model = load_model(checkpoint, replace(job.data, regions=str(regions or ""), compat=""))
    if dual:
        require_dual(model, checkpoint)
    return Encoder(context, model, checkpoint, fingerprint(checkpoint))


def encoder_of(index: VectorIndex, checkpoint: Path | None, regions: Path | None) -> Encoder:
    """The encoder that an index was made with.

    Raises:
        InputError: the checkpoint is not there any more, or is another one.
    """
    encoder = load_encoder(checkpoint or Path(index.about["checkpoint"]), regions)
    if encoder.fingerprint != index.about["fingerprint"]:
        raise InputError(f"{encoder.source}: is not the checkpoint that {index.folder} was made with")
    return encoder


def store_of(index: VectorIndex, given: Path | None) -> Path | None:
    """The region store that is named, or else the one that an index was made with, if it was made with any."""
    return given or (Path(index.about["regions"]) if index.about["regions"] else None)


def add_all(
    index: VectorIndex,
    encoder: Encoder,
    regions: Path | None,
    images: bool,
    texts: Sequence[Path],
    files: Sequence[Path],
) -> Iterator[str]:
    """Encode what is not there yet and append it; lines to print.

    Args:
        index: appended to, segment by segment.
        encoder: its checkpoint.
        regions: store of the images.
        images: add all images of the store, unless ``files`` name some.
        texts: files of texts.
        files: files of images with captions: both are added.
    """
    from unimo.data.formats.texts import read_text_files
    from unimo.inference.index import Entry
    from unimo.tasks.retrieval import read_caption_records

    if not images and not texts and not files:
        raise InputError("images, texts, captions: at least one of them tells what to add")
    if (images or files) and regions is None:
        raise InputError("regions: images need their region store")
    records = [record for path in dict.fromkeys(files) for record in read_caption_records(encoder.context, path)]
    image_ids = [record.image_id for record in records]
    if images:
        image_ids += encoder.context.require_images().store.ids()
    captions = [Entry(*each) for each in numbered_captions(records)]
    # captions of the release are token ids, which their text need not give again
    token_ids = [ids for each in records for ids in each.caption_token_ids or [None] * len(each.captions)]
    plain = [Entry(record.record_id, record.text) for record in read_text_files(texts)]
    if image_ids:
        yield _add(index, encoder, "images", [Entry(image_id) for image_id in dict.fromkeys(image_ids)])
    if captions or plain:
        given = {entry.id: ids for entry, ids in zip(captions, token_ids, strict=True) if ids is not None}
        yield _add(index, encoder, "texts", [*captions, *plain], given)


def numbered_captions(records: Iterable[CaptionRecord]) -> Iterator[tuple[str, str]]:
    """`<image id>#<number>` and text of every caption; an image's captions are counted through all of its records."""
    counted: Counter[str] = Counter()
    for record in records:
        for caption in record.captions:
            yield f"{record.image_id}#{counted[record.image_id]}", caption
            counted[record.image_id] += 1


def _add(
    index: VectorIndex,
    encoder: Encoder,
    side: Side,
    entries: Sequence[Entry],
    token_ids: Mapping[str, Sequence[int]] | None = None,
) -> str:
    """Append those whose id is not there. ``token_ids``: of texts by their id, in place of what the tokenizer gives."""
    from unimo.tasks.dual_encoding import encode_images, encode_texts

    known = {entry.id: entry.text for entry in index.entries(side)}
    for entry in entries:
        if known.get(entry.id, entry.text) != entry.text:
            told = f"{entry.id!r} is in {index.folder} with another text: {known[entry.id]!r}"
            raise InputError(f"{side}: {told} (an id is a file's name and line, or an image's name and a number)")
    new = [entry for entry in entries if entry.id not in known]
    for start in range(0, len(new), COMMIT_ROWS):
        chosen = new[start : start + COMMIT_ROWS]
        if side == "images":
            images = encoder.context.require_images()
            vectors = encode_images(encoder.context, encoder.model, [images[entry.id] for entry in chosen])
        else:
            vectors = encode_texts(encoder.context, encoder.model, _ids_of(chosen, encoder, token_ids or {}))
        index.add(side, chosen, vectors)
    there = f", {len(entries) - len(new)} were there" if len(new) < len(entries) else ""
    return f"{side}: {len(new)} added{there}, {index.count(side)} in all"


def _ids_of(entries: Sequence[Entry], encoder: Encoder, given: Mapping[str, Sequence[int]]) -> list[Sequence[int]]:
    """Token ids of texts, without special tokens."""
    tokenizer = encoder.context.tokenizer
    encoded = iter(tokenizer.encode_batch([entry.text for entry in entries if entry.id not in given]))
    return [given[entry.id] if entry.id in given else next(encoded) for entry in entries]
