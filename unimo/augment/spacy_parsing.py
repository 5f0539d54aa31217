"""A spaCy pipeline in place of textblob's tagger, where the user has installed one."""

from __future__ import annotations

import importlib
from typing import Any

from unimo.augment.graph import SceneGraph, SceneGraphParser
from unimo.augment.lexicon import load_lexicon
from unimo.augment.options import ParserOptions
from unimo.augment.parsing import GraphBuilder, PatternParser
from unimo.augment.tagging import Token
from unimo.errors import InputError


class SpacyParser:
    """Tags by a trained pipeline, which needs no corrections; phrases and relations by the same rules."""

    def __init__(self, model: str, vocabulary: str = "") -> None:
        """Load a pipeline.

        Raises:
            InputError: spaCy or the pipeline is not installed.
        """
        try:
            self.pipeline: Any = importlib.import_module("spacy").load(model, disable=["ner", "lemmatizer", "parser"])
        except (ImportError, OSError) as error:
            raise InputError(f"parser.name: spacy cannot load {model!r} ({str(error).splitlines()[0]})") from error
        self.lexicon = load_lexicon(vocabulary)
        meta = self.pipeline.meta
        self.name = f"spacy-{meta.get('name')}-{meta.get('version')}" + ("-visual-genome" if vocabulary else "")

    def parse(self, text: str) -> SceneGraph:
        """See :class:`~unimo.augment.graph.SceneGraphParser`."""
        tokens = [
            Token(
                word.text.lower(),
                _our_tag(self.lexicon.closed.get(word.text.lower(), ""), word.tag_),
                word.idx,
                word.idx + len(word.text),
            )
            for word in self.pipeline(text)
            if not word.is_space
        ]
        return GraphBuilder(text, tokens, self.lexicon).build()


def _our_tag(closed: str, tag: str) -> str:
    """A Penn tag as our rules read it; of the closed classes, forms of be, `while`, commas and `to` have our tags."""
    if closed in ("BE", "SUB", "CC", "TO"):
        return closed
    simple = {"NNP": "NN", "NNPS": "NNS", "VBP": "VB", "RP": "IN", "WDT": "SUB", "WP": "SUB", "WRB": "SUB", "AFX": "JJ"}
    if tag[:2] in ("JJ", "RB"):
        return tag[:2]
    return simple.get(tag, tag if tag[:1].isalpha() else ".")


def make_parser(options: ParserOptions) -> SceneGraphParser:
    """The parser that the options name."""
    if options.name == "spacy":
        return SpacyParser(options.spacy_model, options.vocabulary)
    return PatternParser(options.vocabulary)
