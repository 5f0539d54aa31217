"""The tasks by name. Each is imported only when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from unimo.errors import InputError

if TYPE_CHECKING:
    from unimo.training.task import Task

TASKS: dict[str, str] = {
    "pretraining": "unimo.tasks.pretraining:Pretraining",
    "text_classification": "unimo.tasks.text_classification:TextClassification",
    "text_regression": "unimo.tasks.text_regression:TextRegression",
    "text_generation": "unimo.tasks.text_generation:TextGeneration",
    "visual_entailment": "unimo.tasks.visual_entailment:VisualEntailment",
    "question_answering": "unimo.tasks.question_answering:QuestionAnswering",
    "captioning": "unimo.tasks.captioning:Captioning",
    "retrieval": "unimo.tasks.retrieval:Retrieval",
}
"""Task name -> module and class."""


def task_class(name: str) -> type[Task]:
    """The class of a task.

    Raises:
        InputError: there is no such task.
    """
    if name not in TASKS:
        raise InputError(f"task: there is no task {name!r}; there are {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
