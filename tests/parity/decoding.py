"""Decoding: every hypothesis of every setting, and the prediction files that the original wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.parity.batches import examples_of, read_batch
from tests.parity.goldens import Goldens, MissingGoldenError
from tests.parity.programs import LABEL_SMOOTHING, Program, dialogue_options
from tests.parity.release import Release
from tests.parity.results import Results
from unimo.data.examples import Example
from unimo.generation import DecodingSettings, Hypothesis, TargetStart
from unimo.tasks.generating import GeneratingTask
from unimo.tokenization import UnimoTokenizer

SCORE, SCORE_RELATIVE = 1e-3, 1e-6

Setting = Mapping[str, Any]
Decoded = list[tuple[int, list[Hypothesis]]]  # id of a source and its hypotheses, best first, in the order of the file


def check_decoding(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """Every setting of a program that writes text."""
    path = release.folder / f"{program.name}_decode.json"
    with results.guard(f"{program.name} decode"):
        if not path.is_file():
            raise MissingGoldenError(f"no {path.name}")
        for setting in json.loads(path.read_text()):
            label = f"{program.name} decode {setting['setting']}"
            with results.guard(label):
                decoded = decode(release, program, setting, goldens)
                _check_hypotheses(results, label, decoded, setting["sources"])
                _check_texts(results, label, release.tokenizer, program, decoded, setting)


def decode(release: Release, program: Program, setting: Setting, goldens: Goldens) -> Decoded:
    """Our hypotheses for all inputs of a setting."""
    overrides = setting["overrides"]
    dialogue = overrides.get("task_type") == "dialog"
    options = {"label_smoothing": LABEL_SMOOTHING, "decoding": decoding_settings(overrides)}
    task = release.task(program.task, options | (dialogue_options(release) if dialogue else {}))
    assert isinstance(task, GeneratingTask)
    model = release.model("seq2seq_dialog" if dialogue else program.parameters_name, task)
    inputs, name = _inputs(program, setting, goldens), "data_ids" if program.name == "seq2seq" else "image_id"
    ids: list[int] = []
    given: list[Example] = []
    first: list[int] = []
    for number in inputs.numbers("b", name):
        golden = inputs.under(f"b{number}.")
        given += examples_of(read_batch(program, golden, dialogue, with_targets=False))
        ids += golden[name].reshape(-1).tolist()
        # the original starts a continuous target two positions too low (Q6): what it fed is what we start from
        first += golden["tgt_pos"].reshape(-1).tolist()
    vocabulary = task.context.vocabulary
    end_id = vocabulary.mask_id if program.name == "seq2seq" else vocabulary.sep_id
    number = 0 if dialogue else None
    target = TargetStart(vocabulary.cls_id, end_id, np.asarray(first), number, number)
    return list(zip(ids, task.decode(model, given, target), strict=True))


def decoding_settings(overrides: Mapping[str, Any]) -> DecodingSettings:
    """The original's settings, over its defaults, as ours."""
    return DecodingSettings(
        beam_size=overrides.get("beam_size", 5),
        min_length=overrides.get("min_out_len", 2),
        max_length=overrides.get("max_out_len", 16),
        length_penalty=overrides.get("length_penalty", 0.6),
        block_trigrams=overrides.get("block_trigram", False),
    )


def original_text(hypothesis: Hypothesis, tokenizer: UnimoTokenizer, program: Program) -> str:
    """The text as the original writes it: nothing is stripped, and [SEP] stays in what seq2seq writes."""
    removed = {tokenizer.cls_id, tokenizer.mask_id, tokenizer.pad_id, tokenizer.unk_id}
    if program.name == "img2txt":
        removed.add(tokenizer.sep_id)
    return re.sub(r"\s+", " ", tokenizer.decode([i for i in hypothesis.token_ids if i not in removed]))


def original_file(texts: Sequence[tuple[int, str]], program: Program) -> tuple[str, bool]:
    """The file that the original's `evaluate` leaves, and whether it got to its end.

    seq2seq sorts by number and keeps the texts; img2txt writes JSON, the first caption of an image alone, and stops
    at an empty caption (Q10) with the captions by number in place of the JSON.
    """
    if program.name == "seq2seq":
        return "".join(f"{text}\n" for _, text in sorted(texts)), True
    lines = [f"{number}\t{text}\n" for number, text in texts]
    captions: dict[int, str] = {}
    for line in lines:
        fields = line.strip().split("\t")
        if len(fields) != 2:
            return "".join(lines), False
        captions.setdefault(int(fields[0]), fields[1])
    return json.dumps([{"image_id": number, "caption": caption} for number, caption in captions.items()]), True


def _inputs(program: Program, setting: Setting, goldens: Goldens) -> Goldens:
    """Inputs of a setting; those of text generation are shared unless its overrides are about them."""
    if program.name == "img2txt":
        return goldens.under("dec.")
    own = setting["overrides"].keys() & {"continuous_position", "task_type"}
    return goldens.under(f"dec{setting['setting'] if own else 0}.")


def _check_hypotheses(results: Results, label: str, decoded: Decoded, sources: Sequence[Mapping[str, Any]]) -> None:
    results.equal(f"{label} sources", [number for number, _ in decoded], [source["id"] for source in sources])
    wrong: list[int] = []
    excess = [np.zeros(1)]
    for (number, found), source in zip(decoded, sources, strict=True):
        if [list(each.token_ids) for each in found] != [each["ids"] for each in source["hyps"]]:
            wrong.append(number)
            continue
        for ours, theirs in zip(found, source["hyps"], strict=True):
            expected = np.asarray(theirs["scores"])
            excess.append(np.abs(np.asarray(ours.scores) - expected) / (SCORE + SCORE_RELATIVE * np.abs(expected)))
    identical = f"{len(excess) - 1} hypotheses identical"
    results(f"{label} ids", not wrong, f"of sources {wrong[:5]} different" if wrong else identical)
    results.within(f"{label} scores, in units of 1e-3 + 1e-6 |score|", float(np.concatenate(excess).max()), 1.0)


def _check_texts(
    results: Results,
    label: str,
    tokenizer: UnimoTokenizer,
    program: Program,
    decoded: Decoded,
    setting: Setting,
) -> None:
    texts = [(number, original_text(found[0], tokenizer, program)) for number, found in decoded]
    content, whole = original_file(texts, program)
    results.equal(f"{label} file", content, setting["evaluate_file"])
    results.equal(f"{label} evaluation ends", whole, "evaluate_error" not in setting)
