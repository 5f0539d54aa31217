"""`unimo regions tags`: the names of the objects in every image of a store, which captioning reads besides the regions.

Example::

    python -m unimo regions tags --regions coco.regions --names objects_vocab.txt --threshold 0.35 \\
        --output object_tags.jsonl

An object counts as seen when a region's probability of its class is above the threshold. Every image gets a line; where
nothing was seen, its list is empty. The store must have class probabilities, which the public bottom-up-attention files
lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SUMMARY = "name the objects of every image of a region store, for captioning to read"


@dataclass(frozen=True)
class Arguments:
    """Regions in, names of objects out."""

    regions: Path
    """Region store with class probabilities."""

    names: Path
    """One class a line, in the detector's order; of synonyms parted by commas the first is taken. With one line fewer
    than the store has classes, class 0 is the background (bottom-up-attention's `objects_vocab.txt`: 1,600 lines)."""

    output: Path
    """JSON lines ``{"image_id": str, "tags": [str, ...]}``, the most probable object first: `options.object_tags`."""

    threshold: float = 0.2
    """Probability that an object's best region must exceed (original release: 0.35 for the base model, 0.2 for the
    large one)."""

    max_tags: int = 100
    """Most names of an image; the less probable ones are left out."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold: {self.threshold} is not in [0, 1)")
        if self.max_tags < 1:
            raise ValueError(f"max_tags: {self.max_tags}, expected at least 1")


def run(arguments: Arguments) -> int:
    """Write the tags, and print how many there are."""
    import json

    import numpy as np

    from unimo.errors import InputError
    from unimo.files import atomic_write
    from unimo.regions import RegionStore
    from unimo.runtime.progress import progress_bar

    counts, num_cut = [], 0
    with RegionStore(arguments.regions) as store:
        num_classes = store.spec.num_classes
        if not num_classes:
            raise InputError.at(
                arguments.regions, "this store has no class probabilities; import features that have them to get tags"
            )
        names = _read_names(arguments.names, num_classes)
        with atomic_write(arguments.output) as stream, progress_bar("image", len(store)) as bar:
            for image_id in store.ids():
                best = store[image_id].class_probabilities.max(axis=0)  # [C], over the regions
                if not np.isfinite(best).all():
                    message = f"record {image_id!r}: class_probabilities are not finite"
                    raise InputError.at(arguments.regions, message)
                tags = _tags(best, names, arguments.threshold)
                num_cut += len(tags) > arguments.max_tags
                tags = tags[: arguments.max_tags]
                counts.append(len(tags))
                stream.write(json.dumps({"image_id": image_id, "tags": tags}, ensure_ascii=False) + "\n")
                bar.update()
    print(f"{arguments.output}: {len(counts)} images, {sum(counts)} tags; {counts.count(0)} images have none")
    if num_cut:
        print(f"{num_cut} images have more than {arguments.max_tags} tags, of which the most probable are kept")
    return 0


def _read_names(path: Path, num_classes: int) -> list[str]:
    """A name for every class, "" for the background.

    Raises:
        InputError: a line without a name, or another number of lines than there are classes.
    """
    from unimo.errors import InputError
    from unimo.files import read_lines

    names = []
    for number, line in read_lines(path):
        names.append(line.partition(",")[0].strip())
        if not names[-1]:
            raise InputError.at(path, "a line without a name", number)
    if len(names) == num_classes - 1:
        return ["", *names]
    if len(names) != num_classes:
        raise InputError.at(
            path, f"{len(names)} names for {num_classes} classes; expected as many, or one fewer (no background)"
        )
    return names


def _tags(best: np.ndarray, names: Sequence[str], threshold: float) -> list[str]:
    """Names of the classes of a probability (``best``, [C]) above ``threshold``, the most probable first, each once."""
    order = (-best).argsort(kind="stable")
    found = [names[index] for index in order if best[index] > threshold]
    return list(dict.fromkeys(name for name in found if name))
