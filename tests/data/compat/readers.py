"""The tasks that read the goldens of the original's readers, set as meta.json says its readers were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.config.job import DataConfig
from unimo.data.compat.reader import OriginalReader
from unimo.data.formats.generation import GenerationColumns
from unimo.data.formats.tables import TextColumns
from unimo.data.images import open_images
from unimo.tasks.captioning import Captioning, CaptioningOptions
from unimo.tasks.retrieval import Retrieval, RetrievalOptions
from unimo.tasks.text_classification import TextClassification, TextClassificationOptions
from unimo.tasks.text_generation import TextGeneration, TextGenerationOptions
from unimo.tasks.text_regression import TextRegression, TextRegressionOptions
from unimo.tasks.visual_entailment import VisualEntailment, VisualEntailmentOptions
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import TaskContext

Arguments = dict[str, Any]


def context(tokenizer: UnimoTokenizer, compat: str = "original", **data: Any) -> TaskContext:
    config = DataConfig(compat=compat, **data)  # type: ignore[arg-type]
    return TaskContext(config, tokenizer, open_images(config))


def batch_rule(arguments: Arguments) -> dict[str, int]:
    if arguments.get("in_tokens"):
        return {"tokens_per_batch": arguments["batch_size"]}
    return {"max_examples_per_batch": arguments.get("batch_size", arguments.get("test_batch_size"))}


def text_task(
    name: str, arguments: Arguments, tokenizer: UnimoTokenizer, **data: Any
) -> TextClassification | TextRegression:
    pair = "pair" in name or "tokens" in name or name == "regression"
    columns = TextColumns(text_b="text_b" if pair else "")
    rules = batch_rule(arguments) | {"max_text_length": arguments["max_seq_len"]} | data
    if name == "regression":
        return TextRegression(context(tokenizer, **rules), TextRegressionOptions(columns=columns))
    labels = tuple(map(str, range(arguments.get("num_labels", 2))))
    options = TextClassificationOptions(labels=labels, columns=columns)
    return TextClassification(context(tokenizer, **rules), options)


def generation_task(arguments: Arguments, tokenizer: UnimoTokenizer, **data: Any) -> TextGeneration:
    dialogue = arguments.get("task_type") == "dialog"
    options = TextGenerationOptions(
        columns=GenerationColumns(sources=("src",) if dialogue else ()),
        tokenized_input=arguments["tokenized_input"],
        max_source_length=arguments["max_src_len"],
        max_target_length=arguments["max_tgt_len"],
        continuous_positions=arguments.get("continuous_position", False),
        num_turns=arguments["turn_type_size"] if dialogue else 0,
    )
    return TextGeneration(context(tokenizer, **(batch_rule(arguments) | data)), options)


def captioning_task(arguments: Arguments, tokenizer: UnimoTokenizer, regions: str, **data: Any) -> Captioning:
    rules = batch_rule(arguments) | {"max_text_length": arguments["max_tgt_len"], "regions": regions}
    options = CaptioningOptions(object_tags=arguments["object_file"], max_tag_tokens=arguments["max_obj_len"])
    return Captioning(context(tokenizer, max_regions=arguments["max_img_len"], **(rules | data)), options)


def image_text_rules(arguments: Arguments, **data: Any) -> dict[str, Any]:
    return batch_rule(arguments) | {"max_text_length": arguments["max_seq_len"]} | data


def entailment_task(arguments: Arguments, tokenizer: UnimoTokenizer, **data: Any) -> VisualEntailment:
    rules = image_text_rules(arguments, **({"regions": "in/ve_filelist"} | data))
    return VisualEntailment(context(tokenizer, **rules), VisualEntailmentOptions())


def retrieval_task(arguments: Arguments, tokenizer: UnimoTokenizer, **data: Any) -> Retrieval:
    rules = image_text_rules(arguments, **({"regions": "in/ret_feat"} | data))
    half = arguments.get("samples_num", 20) // 2
    options = RetrievalOptions(num_negative_images=half, num_negative_captions=half)
    return Retrieval(context(tokenizer, **rules), options)


def golden_reader(name: str, arguments: Arguments, tokenizer: UnimoTokenizer) -> OriginalReader:
    """The reader of a golden; the working directory is the goldens' folder.

    The original's generator was patched not to shuffle where ``train`` is False here.
    """
    kind = name.split("_")[0]
    if kind in ("classification", "regression"):
        file = arguments.get("file", "in/reg.tsv" if name == "regression" else "in/cls_single.tsv")
        return text_task(name, arguments, tokenizer).original_reader(file, train="train" in name)
    if kind == "seq2seq":
        task, with_targets = generation_task(arguments, tokenizer), "decode" not in name
        return task.original_reader(arguments["file"], False, with_targets, arguments.get("tgt_type_id", 1))
    if kind == "img2txt":
        filelist = arguments["filelist"]
        return captioning_task(arguments, tokenizer, filelist).original_reader(filelist, train=False)
    if kind == "visual":
        return entailment_task(arguments, tokenizer).original_reader("in/ve_filelist", train=False)
    assert kind == "retrieval", Path(name)
    return retrieval_task(arguments, tokenizer).original_reader("in/ret_cap.ids", train="train" in name)
