"""The two passes over a shard: count what its captions say; then rewrite, retrieve and write.

Both are functions of the job's folder and a number, so that any process on any machine that sees the folder can run
them. What they need lies in `<output>/work`, mapped or read when it is first asked for.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unimo.augment.graph import KINDS, SceneGraph
from unimo.augment.options import AugmentConfig
from unimo.augment.positives import choose_positives, make_providers
from unimo.augment.rewriting import REWRITE_KINDS, Edit, Rewrite, Rewriter, plain_text
from unimo.augment.said import Said
from unimo.augment.similarity import BlockFolder, Condition, top_k
from unimo.augment.spacy_parsing import make_parser
from unimo.augment.tables import TextTable
from unimo.augment.vectors import image_vectors, rows_between
from unimo.augment.vocabulary import count_corpus
from unimo.config import load_config
from unimo.data.records import CaptionRecord
from unimo.files import atomic_write, read_json, write_json
from unimo.regions.store import RegionStore

CONFIG_NAME = "config.yaml"
SENTENCES_LOOKED_AT = 2  # times as many neighbours as are wanted are looked at, since some say nothing wrong
ENOUGH = 5  # negatives at word and phrase level that a caption ought to have


class Workspace:
    """What the passes read, each part loaded when it is first asked for."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.work = self.folder / "work"
        self.config: AugmentConfig = load_config({"": AugmentConfig}, [self.folder / CONFIG_NAME])[""]

    @functools.cached_property
    def parser(self) -> Any:
        """Of scene graphs."""
        return make_parser(self.config.parser)

    @functools.cached_property
    def rewriter(self) -> Rewriter:
        """With the vocabulary of all shards."""
        tables = read_json(self.work / "vocabulary.json")
        rewriting = self.config.rewriting
        return Rewriter(tables, self.parser.lexicon, rewriting.min_count, rewriting.exchange)

    @functools.cached_property
    def providers(self) -> list[Any]:
        """Of positives."""
        return make_providers(self.config.positives)

    @functools.cached_property
    def captions(self) -> TextTable:
        """All captions by number."""
        return TextTable(self.folder / "captions")

    @functools.cached_property
    def contents(self) -> TextTable:
        """What every caption speaks of: base forms, parted by bars."""
        return TextTable(self.work / "contents")

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """[records + 1] number of the first caption of every record."""
        return np.load(self.work / "starts.npy", mmap_mode="r")

    def records(self, shard: int) -> list[tuple[CaptionRecord, list[int]]]:
        """The records of a shard, with the numbers of those that its captions are true of."""
        lines = (self.work / f"records-{shard:05d}.jsonl").read_text("utf-8").splitlines()
        fields = [json.loads(line) for line in lines]
        return [
            (CaptionRecord(each["record_id"], each["image_id"], tuple(each["captions"])), each["also_true"])
            for each in fields
        ]

    def graphs(self, shard: int) -> Iterator[SceneGraph]:
        """The scene graphs that the first pass found in a shard, caption by caption."""
        with (self.work / f"graphs-{shard:05d}.jsonl").open(encoding="utf-8") as lines:
            yield from (SceneGraph.from_json(json.loads(line)) for line in lines)


@functools.lru_cache(maxsize=1)
def _workspace(folder: str) -> Workspace:
    return Workspace(folder)


def count_shard(folder: str, shard: int) -> None:
    """First pass: the scene graphs of a shard, their vocabulary, and what each caption speaks of."""
    space = _workspace(folder)
    graphs = [space.parser.parse(caption) for record, _ in space.records(shard) for caption in record.captions]
    with atomic_write(space.work / f"graphs-{shard:05d}.jsonl") as stream:
        stream.writelines(json.dumps(graph.to_json(), ensure_ascii=False) + "\n" for graph in graphs)
    counts = count_corpus(graphs, space.parser.lexicon).to_json()
    write_json(space.work / f"counts-{shard:05d}.json", {"tables": counts, "contents": [_content(g) for g in graphs]})


def _content(graph: SceneGraph) -> str:
    names = {node.lemma.rpartition(" ")[2] for node in graph.objects} | {node.lemma for node, _ in graph.attributes}
    names |= {node.verb for node, _, _ in graph.relations if node.verb}
    return "|".join(sorted(names))


def augment_shard(folder: str, shard: int) -> None:
    """Second pass: write the shard, then its counts; a shard without them is not finished."""
    space = _workspace(folder)
    records = space.records(shard)
    first_record = shard * space.config.records_per_shard
    first_caption = int(space.starts[first_record])
    num_captions = sum(len(record.captions) for record, _ in records)
    neighbours = _sentences(space, first_caption, num_captions)
    texts = _texts(space, first_caption, num_captions)
    images, without_regions = _images(space, [record.image_id for record, _ in records])
    statistics: Counter[str] = Counter({"images without regions": without_regions})
    offsets, caption, graphs = [0], first_caption, space.graphs(shard)
    with atomic_write(space.folder / shard_name(shard), "wb") as stream:
        for number, (record, also_true) in enumerate(records):
            others = {first_record + number, *also_true}
            part = slice(caption - first_caption, caption - first_caption + len(record.captions))
            own = list(itertools.islice(graphs, len(record.captions)))
            line = _augment_record(
                space, record, own, others, neighbours[part], texts[part], images[number], statistics
            )
            data = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8")
            offsets.append(offsets[-1] + stream.write(data))
            caption += len(record.captions)
    about = {"file": shard_name(shard), "records": len(records), "captions": num_captions, "bytes": offsets[-1]}
    finished = {**about, "offsets": offsets[:-1], "statistics": dict(sorted(statistics.items()))}
    write_json(space.work / f"shard-{shard:05d}.json", finished)


def shard_name(shard: int) -> str:
    """The file of a shard."""
    return f"shard-{shard:05d}.jsonl"


def _augment_record(
    space: Workspace,
    record: CaptionRecord,
    graphs: Sequence[SceneGraph],
    same: set[int],
    neighbours: Sequence[np.ndarray],
    texts: Sequence[np.ndarray],
    images: np.ndarray,
    statistics: Counter[str],
) -> dict[str, Any]:
    """One line of a shard. ``same``: numbers of the records whose captions are no negatives."""
    said = Said(graphs, space.parser.lexicon)
    positives = choose_positives(record, space.providers, space.config.positives.num_positives)
    items = []
    for number, graph in enumerate(graphs):
        seed = seed_of(space.config.seed, record.record_id, number)
        count = space.config.rewriting.num_nodes
        rewrites, why_not = space.rewriter.rewrite(graph, said, record.captions, count, seed)
        sentences = _choose_sentences(space, neighbours[number], same, said, record.captions)
        items.append(
            {
                "seed": seed,
                "nodes": [[node.kind, node.start, node.end] for node in graph.nodes()],
                "positives": positives[number],
                "rewrites": [encode_rewrite(each) for each in rewrites],
                "sentences": sentences,
                "texts": texts[number].tolist(),
            }
        )
        _count_caption(statistics, graph, rewrites, why_not, sentences)
        statistics["retrieved texts"] += len(texts[number])
        for provider, _ in positives[number]:
            statistics[f"positives: {provider}"] += 1
    statistics["images"] += 1
    statistics["retrieved images"] += len(images)
    return {
        "record_id": record.record_id,
        "image_id": record.image_id,
        "captions": list(record.captions),
        "images": images.tolist(),
        "items": items,
    }


def _count_caption(
    statistics: Counter[str],
    graph: SceneGraph,
    rewrites: Sequence[Rewrite],
    why_not: str | None,
    sentences: Sequence[int],
) -> None:
    statistics["captions"] += 1
    for rewrite in rewrites:
        statistics[f"negatives: {rewrite.kind}"] += 1
    statistics["negatives: sentence"] += len(sentences)
    if why_not is not None:
        statistics[f"captions without rewrites: {why_not}"] += 1
    statistics["captions with no similar caption of another image"] += not sentences
    statistics[f"captions with at least {ENOUGH} rewrites"] += len(rewrites) >= ENOUGH
    kinds = {node.kind for node in graph.nodes()}
    if kinds == set(KINDS):
        statistics["captions with objects, attributes and relations"] += 1
        rewritten = {each.kind for each in rewrites}
        statistics["of those, with rewrites of at least 3 kinds"] += len(rewritten) >= 3
    for kind in REWRITE_KINDS:
        statistics[f"captions with a rewrite: {kind}"] += any(each.kind == kind for each in rewrites)


def encode_rewrite(rewrite: Rewrite) -> list[Any]:
    """A rewrite as JSON: kind, nodes and articles, each (start, end, old, new)."""
    return [
        rewrite.kind,
        [[each.start, each.end, each.old, each.new] for each in rewrite.nodes],
        [[each.start, each.end, each.old, each.new] for each in rewrite.articles],
    ]


def decode_rewrite(values: Sequence[Any], seed: int) -> Rewrite:
    """The inverse of :func:`encode_rewrite`."""
    kind, nodes, articles = values
    return Rewrite(kind, tuple(Edit(*each) for each in nodes), tuple(Edit(*each) for each in articles), seed)


def seed_of(seed: int, record_id: str, caption: int) -> int:
    """The seed of one caption: the same wherever and in whatever order it is worked on."""
    text = f"{seed}\0{record_id}\0{caption}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big")


def _sentences(space: Workspace, first: int, count: int) -> list[np.ndarray]:
    """Numbers of the captions nearest to each caption of a shard, without those that say the same."""
    options = space.config.rewriting
    if options.num_sentences == 0:
        return [np.empty(0, np.int64)] * count
    blocks = BlockFolder(space.work / "vectors" / "captions")
    wanted = SENTENCES_LOOKED_AT * options.num_sentences + 10
    found = top_k(rows_between(blocks, first, first + count), blocks, wanted)
    return [numbers[scores <= options.max_similarity] for numbers, scores in found]


def _choose_sentences(
    space: Workspace, neighbours: np.ndarray, same: set[int], said: Said, captions: Sequence[str]
) -> list[int]:
    """Of the nearest captions those of other images that say something that the captions of this image do not."""
    chosen: list[int] = []
    taken = {plain_text(caption) for caption in captions}
    owners = np.searchsorted(space.starts, neighbours, side="right") - 1
    for number, owner in zip(neighbours.tolist(), owners.tolist(), strict=True):
        if len(chosen) == space.config.rewriting.num_sentences:
            break
        if owner in same:
            continue
        content = space.contents[number]
        if not content or all(name in said.true for name in content.split("|")):
            continue
        plain = plain_text(space.captions[number])
        if plain not in taken:
            taken.add(plain)
            chosen.append(number)
    return chosen


def _texts(space: Workspace, first: int, count: int) -> list[np.ndarray]:
    """Numbers of the free texts nearest to each caption of a shard."""
    options = space.config.retrieval
    if not space.config.texts or options.num_texts == 0:
        return [np.empty(0, np.int64)] * count
    queries = rows_between(BlockFolder(space.work / "vectors" / "captions"), first, first + count)
    texts = BlockFolder(space.work / "vectors" / "texts")
    return [numbers for numbers, _ in top_k(queries, texts, options.num_texts, options.min_similarity)]


def _images(space: Workspace, image_ids: Sequence[str]) -> tuple[list[np.ndarray], int]:
    """Numbers of the unpaired images most like each image of a shard, and how many of the shard have no regions."""
    options = space.config.retrieval
    found = [np.empty(0, np.int64) for _ in image_ids]
    if not space.config.regions or options.num_images == 0:
        return found, 0
    with RegionStore(space.config.regions) as store:
        known = [number for number, image_id in enumerate(image_ids) if image_id in store]
        features, classes = image_vectors(store[image_ids[number]] for number in known)
    collection, overlaps = (BlockFolder(space.work / "vectors" / name) for name in ("features", "classes"))
    condition = Condition(classes, overlaps, options.min_overlap)
    if known and len(collection):
        nearest = top_k(features, collection, options.num_images, -1.0, condition)
        for number, (columns, _) in zip(known, nearest, strict=True):
            found[number] = columns
    return found, len(image_ids) - len(known)
