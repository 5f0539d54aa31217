"""Losses: pure functions of logits or scores and targets, each a float32 scalar."""

from unimo.objectives.classification import classification_loss, regression_loss
from unimo.objectives.contrastive import contrastive_loss, two_way_loss
from unimo.objectives.language import language_loss, token_log_probabilities
from unimo.objectives.ranking import circle_loss, softmax_loss
from unimo.objectives.regions import region_classification_loss, region_regression_loss

__all__ = [
    "circle_loss",
    "classification_loss",
    "contrastive_loss",
    "language_loss",
    "region_classification_loss",
    "region_regression_loss",
    "regression_loss",
    "softmax_loss",
    "token_log_probabilities",
    "two_way_loss",
]
