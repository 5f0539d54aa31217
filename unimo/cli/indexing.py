"""What the verbs of an index share: the model that makes its vectors, and adding to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unimo.errors import InputError

if TYPE_CHECKING:
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
    from unimo.data.formats.captions import read_captions
    from unimo.data.formats.texts import read_texts
    from unimo.inference.index import Entry

    if not images and not texts and not files:
        raise InputError("images, texts, captions: at least one of them tells what to add")
    if (images or files) and regions is None:
        raise InputError("regions: images need their region store")
    records = [record for path in files for record in read_captions(path)]
    image_ids = [record.image_id for record in records]
    if images:
        image_ids += encoder.context.require_images().store.ids()
    captions = [
        Entry(f"{record.image_id}#{number}", caption)
        for record in records
        for number, caption in enumerate(record.captions)
    ]
    plain = [Entry(record.record_id, record.text) for path in texts for record in read_texts(path)]
    if image_ids:
        encoder.context.require_images().check(image_ids, regions or "")
        yield _add(index, encoder, "images", [Entry(image_id) for image_id in dict.fromkeys(image_ids)])
    if captions or plain:
        yield _add(index, encoder, "texts", [*captions, *plain])


def _add(index: VectorIndex, encoder: Encoder, side: Side, entries: Sequence[Entry]) -> str:
    from unimo.tasks.dual_encoding import encode_images, encode_texts

    known = {entry.id: entry.text for entry in index.entries(side)}
    for entry in entries:
        if known.get(entry.id, entry.text) != entry.text:
            raise InputError(f"{side}: {entry.id!r} is in {index.folder} with another text: {known[entry.id]!r}")
    new = [entry for entry in entries if entry.id not in known]
    for start in range(0, len(new), COMMIT_ROWS):
        chosen = new[start : start + COMMIT_ROWS]
        if side == "images":
            images = encoder.context.require_images()
            vectors = encode_images(encoder.context, encoder.model, [images[entry.id] for entry in chosen])
        else:
            ids = encoder.context.tokenizer.encode_batch([entry.text for entry in chosen])
            vectors = encode_texts(encoder.context, encoder.model, ids)
        index.add(side, chosen, vectors)
    there = f", {len(entries) - len(new)} were there" if len(new) < len(entries) else ""
    return f"{side}: {len(new)} added{there}, {index.count(side)} in all"
