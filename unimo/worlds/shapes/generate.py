"""A whole world written to a folder."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import atomic_folder, atomic_write, read_json, read_lines, write_json
from unimo.runtime.workers import worker_processes
from unimo.worlds.shapes.checking import SceneIndex, chance_levels, parse_caption, true_of
from unimo.worlds.shapes.language import caption_set, claims_about, mixed_kinds, say
from unimo.worlds.shapes.options import ShapesOptions
from unimo.worlds.shapes.questions import ANSWERS, LABELS, hypotheses_about, questions_about
from unimo.worlds.shapes.render import write_image
from unimo.worlds.shapes.sampling import sample_scene, split_pairs, stream
from unimo.worlds.shapes.scene import (
    AREAS,
    COLORS,
    RELATIONS,
    SHAPES,
    SIZES,
    TEXTURES,
    Pair,
    Scene,
    read_scenes,
    scene_to_json,
)
from unimo.worlds.shapes.statements import statement_pairs, text_line

FORMAT = 1  # of the folder; raised whenever the same options would give other bytes
SPLITS = ("train", "dev", "test")
RETRIEVAL_CANDIDATES = 8
IMAGES_AT_ONCE = 400
"""Images drawn between two reports of progress; for fewer no second process is started."""

Progress = Callable[[int, int], None]
Captions = Mapping[str, Sequence[str]]


def generate(
    folder: str | Path,
    options: ShapesOptions,
    progress: Progress | None = None,
    overwrite: bool = False,
    num_workers: int = 1,
) -> tuple[dict[str, Any], bool]:
    """Write a world, or leave it alone where the same one is already there.

    Args:
        folder: where; it appears complete or not at all.
        options: sizes and seed.
        progress: called with (images written, images in all) every few hundred images; where a second process
            draws, when all else is written.
        overwrite: replace a folder that holds something else.
        num_workers: processes; from 2 on, one draws while this one writes all else. The bytes are the same.

    Returns:
        (the manifest, whether anything was written).

    Raises:
        InputError: `folder` exists, is not the world of these options, and `overwrite` is not set; or the process
            that draws was killed.
    """
    folder = Path(folder)
    manifest = _existing(folder, options, overwrite)
    if manifest is not None:
        return manifest, False
    with atomic_folder(folder) as temporary:
        manifest = _write_world(temporary, options, progress, num_workers)
    return manifest, True


def _existing(folder: Path, options: ShapesOptions, overwrite: bool) -> dict[str, Any] | None:
    """The manifest where this very world is there already; None where one may be written."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    path = folder / "manifest.json"
    manifest = read_json(path) if path.is_file() else None
    if not isinstance(manifest, dict) or manifest.get("world") != "shapes":
        raise InputError(f"{folder}: holds something that is not a shapes world; choose another folder")
    wanted, found = asdict(options), manifest.get("options", {})
    if manifest.get("format") == FORMAT and found == wanted:
        return manifest
    if not overwrite:
        differing = ", ".join(name for name in wanted if found.get(name) != wanted[name]) or "another version"
        raise InputError(f"{folder}: holds a world of other options ({differing}); set --overwrite to replace it")
    return None


def _write_world(folder: Path, options: ShapesOptions, progress: Progress | None, num_workers: int) -> dict[str, Any]:
    seen, held_out = split_pairs(options)
    scenes = draw_scenes(options)
    with _images_written(folder / "images", scenes, options, progress, num_workers):
        manifest = _write_records_of(folder, scenes, options, seen, held_out)
    write_json(folder / "manifest.json", manifest)
    return manifest


def _write_records_of(
    folder: Path, scenes: Sequence[Scene], options: ShapesOptions, seen: Sequence[Pair], held_out: Sequence[Pair]
) -> dict[str, Any]:
    """Everything but images; returns the manifest."""
    _write_lines(folder / "scenes.jsonl", (scene_to_json(scene) for scene in scenes))
    counts: dict[str, int] = {"images": len(scenes)}
    levels: dict[str, Any] = {}
    for split in SPLITS:
        chosen = [scene for scene in scenes if scene.split == split]
        pairs = [*seen, *held_out] if split == "test" else list(seen)
        counts |= _write_split(folder, split, chosen, options, pairs)
        size = getattr(options, f"num_statements_{split}")
        rows = statement_pairs(split, size, options, seen, held_out)
        lines = [f"{first}\t{second}\t{label}" for first, second, label in rows]
        _write_lines(folder / f"statements_{split}.tsv", ["text_a\ttext_b\tlabel", *lines])
        counts[f"statements_{split}"] = len(rows)
        if split != "train":
            captions = read_captions(folder / f"captioning_{split}.jsonl")
            prior = read_captions(folder / "captioning_train.jsonl")
            levels[split] = chance_levels(captions, {scene.image_id: scene for scene in chosen}, prior)
    counts |= _write_loose(folder, scenes, options, seen)
    return _manifest(folder, options, held_out, counts, levels)


def draw_scenes(options: ShapesOptions) -> list[Scene]:
    """All scenes of a world: train, dev, test, and the images without text."""
    seen, held_out = split_pairs(options)
    sizes = {"train": options.num_train, "dev": options.num_dev, "test": options.num_test}
    scenes = []
    for split, size in (*sizes.items(), ("images", options.num_images_without_text)):
        for number in range(size):
            image_id = f"{split}_{number:06d}"
            rng = stream(options, "scene", image_id)
            if split == "test" and number % 2 == 0:
                scenes.append(sample_scene(rng, image_id, split, options, [*seen, *held_out], held_out))
            else:
                scenes.append(sample_scene(rng, image_id, split, options, seen))
    return scenes


@contextmanager
def _images_written(
    folder: Path, scenes: Sequence[Scene], options: ShapesOptions, progress: Progress | None, num_workers: int
) -> Iterator[None]:
    """The images are there at the end; with several workers they are drawn beside what the body does."""
    folder.mkdir()
    parts = [scenes[start : start + IMAGES_AT_ONCE] for start in range(0, len(scenes), IMAGES_AT_ONCE)]
    done = 0

    def tell(part: Sequence[Scene]) -> None:
        nonlocal done
        done += len(part)
        if progress is not None:
            progress(done, len(scenes))

    if len(parts) <= 1 or num_workers <= 1:
        for part in parts:
            _write_images(folder, part, options.seed)
            tell(part)
        yield
        return
    with worker_processes(1) as worker:
        drawn = [worker.submit(_write_images, folder, part, options.seed) for part in parts]
        yield
        for part, future in zip(parts, drawn, strict=True):
            future.result()
            tell(part)


def _write_images(folder: Path, scenes: Sequence[Scene], seed: int) -> None:
    for scene in scenes:
        write_image(scene, seed, folder / f"{scene.image_id}.png")


def _write_split(
    folder: Path, split: str, scenes: Sequence[Scene], options: ShapesOptions, pairs: Sequence[Pair]
) -> dict[str, int]:
    """Everything about the images of one split; returns the numbers of lines."""
    captions: list[dict[str, Any]] = []
    captioning: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []
    hypotheses: list[dict[str, Any]] = []
    for scene in scenes:
        name = scene.image_id
        rng, size = stream(options, "captions", name), options.captions_per_image
        texts = caption_set(scene, mixed_kinds(size, rng), rng, options.attribute_probability)
        captions.append({"image_id": name, "captions": texts})
        texts = caption_set(scene, ("full",) * size, rng, options.captioning_attribute_probability)
        captioning.append({"image_id": name, "captions": texts})
        rng = stream(options, "questions", name)
        for number, (text, answer) in enumerate(questions_about(scene, options.questions_per_image, rng, pairs)):
            record = {"question_id": f"{name}_q{number}", "image_id": name, "question": text, "answer": answer}
            questions.append(record)
        rng = stream(options, "entailment", name)
        found = hypotheses_about(scene, rng, pairs, options.attribute_probability)
        for number, (text, label) in enumerate(found):
            record = {"record_id": f"{name}_h{number}", "image_id": name, "hypothesis": text, "label": label}
            hypotheses.append(record)
    records = {"captions": captions, "captioning": captioning, "questions": questions, "entailment": hypotheses}
    if split != "train":
        records["retrieval"] = retrieval_records(scenes, options)
    for kind, rows in records.items():
        _write_records(folder / f"{kind}_{split}.jsonl", rows)
    return {f"{kind}_{split}": len(rows) for kind, rows in records.items()}


def retrieval_records(scenes: Sequence[Scene], options: ShapesOptions) -> list[dict[str, Any]]:
    """One caption of each image, the one of several candidates that is true of the fewest other images."""
    index = SceneIndex(scenes)
    records = []
    for scene in scenes:
        rng = stream(options, "retrieval", scene.image_id)
        best: tuple[str, list[str]] | None = None
        for kind in (kind for _ in range(RETRIEVAL_CANDIDATES) for kind in mixed_kinds(3, rng)):
            claims = claims_about(scene, kind, rng, options.attribute_probability)
            others = [image_id for image_id in index.true_of(claims) if image_id != scene.image_id]
            if best is None or len(others) < len(best[1]):
                best = say(claims, rng), others
            if not best[1]:
                break
        assert best is not None
        records.append({"image_id": scene.image_id, "captions": [best[0]], "also_true": best[1]})
    return records


def _write_loose(folder: Path, scenes: Sequence[Scene], options: ShapesOptions, seen: Sequence[Pair]) -> dict[str, int]:
    """Images without text and text without images."""
    images = [{"image_id": scene.image_id} for scene in scenes if scene.split == "images"]
    _write_records(folder / "images_train.jsonl", images)
    rng = stream(options, "texts")
    texts = [{"text": text_line(rng, options, seen)} for _ in range(options.num_texts)]
    _write_records(folder / "texts_train.jsonl", texts)
    return {"images_train": len(images), "texts_train": len(texts)}


def _manifest(
    folder: Path, options: ShapesOptions, held_out: Sequence[Pair], counts: dict[str, int], levels: dict[str, Any]
) -> dict[str, Any]:
    captions = read_captions(folder / "captions_train.jsonl")
    lengths = [len(words) for texts in captions.values() for words in map(_words, texts)]
    vocabulary = {word for texts in captions.values() for text in texts for word in _words(text)}
    return {
        "world": "shapes",
        "format": FORMAT,
        "seed": options.seed,
        "options": asdict(options),
        "counts": counts,
        "vocabularies": {
            "shapes": SHAPES,
            "colors": COLORS,
            "textures": TEXTURES,
            "sizes": SIZES,
            "areas": AREAS,
            "relations": RELATIONS,
            "answers": ANSWERS,
            "labels": LABELS,
            "caption_words": sorted(vocabulary),
        },
        "held_out": [list(pair) for pair in held_out],
        "mean_caption_words": round(sum(lengths) / len(lengths), 2),
        "chance": {
            "captioning": levels,
            "questions": _question_chance(folder / "questions_train.jsonl"),
            "entailment": {"commonest_label": 1 / 3, "text_only": 2 / 3},
            "statements": {"commonest_label": 0.5},
        },
    }


def _question_chance(path: Path) -> dict[str, float]:
    """What is reached by always giving the commonest answer, over all and for each wording of a question.

    Wordings are told apart with the names of things blanked out.
    """
    names = re.compile(rf"\b({'|'.join((*COLORS, *AREAS[::-1], *RELATIONS, *SHAPES))})(es|s)?\b")
    answers, by_wording = Counter[str](), dict[str, Counter[str]]()
    for _, line in read_lines(path):
        record = json.loads(line)
        answers[record["answer"]] += 1
        by_wording.setdefault(names.sub("*", record["question"]), Counter())[record["answer"]] += 1
    best = sum(max(counts.values()) for counts in by_wording.values())
    total = answers.total()
    return {"commonest_answer": max(answers.values()) / total, "text_only": best / total}


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    _write_lines(path, (json.dumps(record) for record in records))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path) as stream_:
        stream_.writelines(f"{line}\n" for line in lines)


def read_captions(path: str | Path) -> dict[str, list[str]]:
    """Read a caption file into image id -> captions.

    Raises:
        InputError: a line is not a caption record; the message names file and line.
    """
    captions: dict[str, list[str]] = {}
    for number, line in read_lines(path):
        try:
            record = json.loads(line)
            captions[record["image_id"]] = list(record["captions"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError.at(path, 'expected {"image_id": ..., "captions": [...]}', number) from error
    return captions


def validate(folder: str | Path) -> dict[str, int]:
    """Check a world against itself: every caption and hypothesis must be what it claims to be.

    Returns:
        Numbers of sentences checked, by file.

    Raises:
        InputError: a caption is not true of its scene, `also_true` is not what the checker finds, or a held-out
            combination appears in another split than test.
    """
    folder = Path(folder)
    scenes = read_scenes(folder)
    held_out = {(color, shape) for color, shape in read_json(folder / "manifest.json")["held_out"]}
    checked: dict[str, int] = {}
    for scene in scenes.values():
        if scene.split != "test" and scene.contains_any(held_out):
            raise InputError.at(folder / "scenes.jsonl", f"{scene.image_id} holds a held-out combination")
    for path in sorted(folder.glob("capt*.jsonl")) + sorted(folder.glob("retrieval_*.jsonl")):
        captions = read_captions(path)
        for image_id, text in ((image_id, text) for image_id, texts in captions.items() for text in texts):
            if not true_of(text, scenes[image_id]):
                raise InputError.at(path, f"{text!r} is not true of {image_id}")
            checked[path.name] = checked.get(path.name, 0) + 1
    _validate_retrieval(folder, scenes)
    return checked


def _validate_retrieval(folder: Path, scenes: Mapping[str, Scene]) -> None:
    for split in ("dev", "test"):
        path = folder / f"retrieval_{split}.jsonl"
        for number, line in read_lines(path):
            record = json.loads(line)
            claims = parse_caption(record["captions"][0])
            assert claims is not None
            found = SceneIndex(scene for scene in scenes.values() if scene.split == split).true_of(claims)
            if sorted(found) != sorted([record["image_id"], *record["also_true"]]):
                raise InputError.at(path, "also_true is not what the checker finds", number)
