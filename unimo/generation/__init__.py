"""Decoding: from a model and what is given to hypotheses and text."""

from unimo.generation.beam import TargetStart, beam_search
from unimo.generation.search import BeamSettings, Hypothesis
from unimo.generation.text import prediction_text
from unimo.generation.trigrams import TrigramBlocker

__all__ = ["BeamSettings", "Hypothesis", "TargetStart", "TrigramBlocker", "beam_search", "prediction_text"]
