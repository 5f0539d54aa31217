"""`unimo convert from-roberta`: a RoBERTa of Hugging Face as the checkpoint folder that pre-training starts from.

Examples::

    python -m unimo convert from-roberta roberta-base --dictionary unimo_dict --output roberta
    python -m unimo convert from-roberta roberta-base --dictionary unimo_dict --images --arch base --output start
    python -m unimo train --config model_configs/pretrain/base.yaml --init_from start
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "a RoBERTa of Hugging Face as the checkpoint folder that pre-training starts from"
POSITIONAL = "source"


@dataclass(frozen=True)
class Arguments:
    """What to read, and where to write."""

    source: Path
    """Folder with config.json, model.safetensors or pytorch_model.bin, vocab.json and merges.txt."""

    dictionary: Path
    """Folder of the released dictionary, or of a saved tokenizer; it must be RoBERTa's own, token by token."""

    output: Path
    """Checkpoint folder to write; it appears complete or not at all."""

    images: bool = False
    """Add region embeddings, freshly initialised, so that images can be trained on; sizes come from arch."""

    arch: str = "base"
    """Whose image sizes to take with images: base, large, or a yaml file."""

    seed: int = 1
    """Of what is freshly initialised."""

    allow_missing: tuple[str, ...] = ()
    """RoBERTa's names (without `roberta.`), or beginnings of them, that may be absent."""

    allow_unused: tuple[str, ...] = ()
    """RoBERTa's names (without `roberta.`), or beginnings of them, that are left out."""


def run(arguments: Arguments) -> int:
    """Convert, and print what was left out or added."""
    from unimo.cli.converting import check_output, load_arch, load_dictionary, write_model
    from unimo.conversion.roberta import from_roberta
    from unimo.conversion.roberta_dictionary import check_same_dictionary

    check_output(arguments.output)
    images = load_arch(arguments.arch) if arguments.images else None
    tokenizer = load_dictionary(arguments.dictionary)
    assert tokenizer is not None
    check_same_dictionary(arguments.source, tokenizer.vocabulary, arguments.dictionary)
    converted = from_roberta(
        arguments.source, images, arguments.allow_missing, arguments.allow_unused, seed=arguments.seed
    )
    write_model(converted, arguments.output, tokenizer)
    return 0
