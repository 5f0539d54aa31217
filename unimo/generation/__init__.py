"""Decoding: from a model and what is given to hypotheses and text."""

from unimo.generation.beam import TargetStart, beam_search
from unimo.generation.decoding import DecodingSettings, generate
from unimo.generation.sampling import SamplingSettings, sample
from unimo.generation.search import BeamSettings, Hypothesis
from unimo.generation.text import prediction_text
from unimo.generation.trigrams import TrigramBlocker

__all__ = [
    "BeamSettings",
    "DecodingSettings",
    "Hypothesis",
    "SamplingSettings",
    "TargetStart",
    "TrigramBlocker",
    "beam_search",
    "generate",
    "prediction_text",
    "sample",
]
