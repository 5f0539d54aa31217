"""The two passes over a shard: count what its captions say; then rewrite, retrieve and write.

Both are functions of the job's folder and a number, so that any process on any machine that sees the folder can run
them. What they need lies in `<output>/work`, mapped or read when it is first asked for.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from unimo.augment.graph import KINDS, SceneGraph
from unimo.augment.positives import choose_positives
from unimo.augment.retrieval import Asking, similar_images, similar_sentences, similar_texts
from unimo.augment.rewriting import REWRITE_KINDS, Edit, Rewrite
from unimo.augment.said import Said
from unimo.augment.vocabulary import count_corpus
from unimo.augment.workspace import ShardRecord, Workspace, open_workspace
from unimo.data.records import CaptionRecord
from unimo.files import atomic_write, write_json

AT_ONCE = 1000  # records of a shard whose neighbours are looked for at a time: bounds memory, whatever the shard
ENOUGH = 5  # negatives at word and phrase level that a caption ought to have


def count_shard(folder: str, shard: int) -> None:
    """First pass: the scene graphs of a shard, their vocabulary, and what each caption speaks of."""
    space = open_workspace(folder)
    graphs = [space.parser.parse(caption) for each in space.records(shard) for caption in each.record.captions]
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
    space = open_workspace(folder)
    records, graphs = space.records(shard), space.graphs(shard)
    first = shard * space.config.records_per_shard
    offsets: list[int] = [0]
    statistics: Counter[str] = Counter()
    with atomic_write(space.folder / shard_name(shard), "wb") as stream:
        for start in range(0, len(records), AT_ONCE):
            part = records[start : start + AT_ONCE]
            for line in _augment_records(space, first + start, part, graphs, statistics):
                data = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8")
                offsets.append(offsets[-1] + stream.write(data))
    num_captions = sum(len(each.record.captions) for each in records)
    about = {"file": shard_name(shard), "records": len(records), "captions": num_captions, "bytes": offsets[-1]}
    finished = {**about, "offsets": offsets[:-1], "statistics": dict(sorted(statistics.items()))}
    write_json(space.work / f"shard-{shard:05d}.json", finished)


def shard_name(shard: int) -> str:
    """The file of a shard."""
    return f"shard-{shard:05d}.jsonl"


@dataclass(frozen=True)
class _Found:
    """What the captions of one record say, and what was retrieved for them: an entry a caption."""

    asking: Asking
    """Of each of the captions."""

    graphs: Sequence[SceneGraph]
    positives: Sequence[list[tuple[str, str]]]
    sentences: Sequence[list[int]]
    texts: Sequence[list[int]]
    images: list[int]
    """Of the record."""


def _augment_records(
    space: Workspace,
    first: int,
    records: Sequence[ShardRecord],
    graphs: Iterator[SceneGraph],
    statistics: Counter[str],
) -> Iterator[dict[str, Any]]:
    """Lines of a shard, of which ``first`` is the number of the first record; ``graphs`` begin with its captions."""
    graphs_of = [list(itertools.islice(graphs, len(each.record.captions))) for each in records]
    count = space.config.positives.num_positives
    positives = [choose_positives(each.record, space.providers, count) for each in records]
    asking = []
    for number, (each, chosen) in enumerate(zip(records, positives, strict=True)):
        true, num_captions = _true_texts(each.record, chosen), len(each.record.captions)
        said = Said([*graphs_of[number], *map(space.parser.parse, true[num_captions:])], space.parser.lexicon)
        asking += [Asking(frozenset({first + number, *each.also_true}), said, true)] * num_captions
    begin = int(space.starts[first])
    sentences = similar_sentences(space, begin, asking)
    texts = similar_texts(space, begin, len(asking))
    images = similar_images(space, [each.stored_id for each in records])
    absent = [each for each in records if each.stored_id is None]
    statistics["images without regions"] += len(absent) if space.config.retrieves_images else 0
    end = 0
    for number, each in enumerate(records):
        part = slice(end, end := end + len(each.record.captions))
        retrieved = sentences[part], texts[part], images[number]
        found = _Found(asking[part.start], graphs_of[number], positives[number], *retrieved)
        yield _augment_record(space, each.record, found, statistics)


def _true_texts(record: CaptionRecord, positives: Sequence[Sequence[tuple[str, str]]]) -> tuple[str, ...]:
    """The captions of an image, and then such positives of any of them as are none: what one says is true of all."""
    texts = dict.fromkeys(text for chosen in positives for _, text in chosen)
    return (*record.captions, *(text for text in texts if text not in record.captions))


def _augment_record(space: Workspace, record: CaptionRecord, found: _Found, statistics: Counter[str]) -> dict[str, Any]:
    """One line of a shard."""
    items = []
    for number, graph in enumerate(found.graphs):
        seed = seed_of(space.config.seed, record.record_id, number)
        count = space.config.rewriting.num_nodes
        rewrites, why_not = space.rewriter.rewrite(graph, found.asking.said, found.asking.true, count, seed)
        items.append(
            {
                "seed": seed,
                "nodes": [[node.kind, node.start, node.end] for node in graph.nodes()],
                "positives": found.positives[number],
                "rewrites": [encode_rewrite(each) for each in rewrites],
                "sentences": found.sentences[number],
                "texts": found.texts[number],
            }
        )
        _count_caption(statistics, graph, rewrites, why_not, found.sentences[number])
        statistics["retrieved texts"] += len(found.texts[number])
        for provider, _ in found.positives[number]:
            statistics[f"positives: {provider}"] += 1
    statistics["images"] += 1
    statistics["retrieved images"] += len(found.images)
    return {
        "record_id": record.record_id,
        "image_id": record.image_id,
        "captions": list(record.captions),
        "images": found.images,
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
