"""What the verbs of `convert` share: architectures by name, and the folder that a converted model becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unimo.config import dump_config, load_config
from unimo.config.architecture import UnimoConfig
from unimo.errors import InputError
from unimo.files import atomic_folder, atomic_write, read_json

if TYPE_CHECKING:
    from unimo.conversion.converted import Converted
    from unimo.tokenization import UnimoTokenizer

ARCH_FOLDER = Path(__file__).parents[2] / "model_configs" / "arch"


def load_arch(name: str) -> UnimoConfig:
    """An architecture: a name in model_configs/arch, a yaml file, a released model config, or a saved model's.

    Raises:
        InputError: there is no such thing, or it is damaged.
    """
    from unimo.conversion.release_names import config_from_release
    from unimo.modeling.pretrained import CONFIG_NAME, read_config

    path = Path(name)
    if path.is_dir():
        return read_config(path)[0]
    if path.suffix == ".json":
        values = read_json(path)
        if isinstance(values, dict) and "format_version" in values and path.name == CONFIG_NAME:
            return read_config(path.parent)[0]
        if not isinstance(values, dict):
            raise InputError.at(path, "expected a JSON object")
        try:
            return config_from_release(values)
        except ValueError as error:
            raise InputError.at(path, str(error)) from error
    if path.suffix not in (".yaml", ".yml"):
        path = ARCH_FOLDER / f"{name}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(each.stem for each in ARCH_FOLDER.glob("*.yaml")))
            raise InputError(f"--arch: no architecture {name!r}; there are {known}, or name a .yaml or .json file")
    return load_config({"": UnimoConfig}, [path])[""]


def check_output(output: Path) -> None:
    """Refuse to write over what is there, before anything is read.

    Raises:
        InputError: naming it.
    """
    if output.exists():
        raise InputError.at(output, "is there already; name another --output")


def load_dictionary(path: Path | None) -> UnimoTokenizer | None:
    """The tokenizer of --dictionary, if one is named."""
    from unimo.tasks.assembly import load_tokenizer

    return load_tokenizer(path) if path is not None else None


def write_model(
    converted: Converted, output: Path, tokenizer: UnimoTokenizer | None = None, job: tuple[Any, Any] | None = None
) -> None:
    """Write a model as a checkpoint folder, whole, and print what it holds.

    Args:
        converted: the model, and its optimizer state, if any, to resume from.
        output: the folder.
        tokenizer: goes into it; the model is bound to its dictionary.
        job: a job's configuration and options, which go into it.

    Raises:
        InputError: the tokenizer has another number of entries.
    """
    from unimo.cli.jobs import CONFIG_NAME
    from unimo.manifest import seal
    from unimo.modeling.pretrained import write_model_files

    model = converted.model
    if tokenizer is not None:
        if tokenizer.vocab_size != model.config.vocab_size:
            found = f"{tokenizer.vocab_size} entries, the model has {model.config.vocab_size}"
            raise InputError(f"--dictionary: the dictionary has {found}")
        model.config = replace(model.config, tokenizer_fingerprint=tokenizer.fingerprint)
    with atomic_folder(output) as temporary:
        write_model_files(model, temporary)
        if tokenizer is not None:
            tokenizer.save_pretrained(temporary)
        if job is not None:
            with atomic_write(temporary / CONFIG_NAME) as stream:
                stream.write(dump_config({"": job[0], "options": job[1]}))
        if converted.optimizer:
            _write_optimizer(converted, temporary)
        seal(temporary)
    _describe(converted, output)


def _write_optimizer(converted: Converted, folder: Path) -> None:
    """The files that training resumes from; the data begin anew."""
    from unimo.training.checkpoint import TrainingState, write_training_state

    write_training_state(folder, TrainingState(step=converted.num_updates, streams={}), converted.optimizer)


def _describe(converted: Converted, output: Path) -> None:
    for note in converted.notes:
        print(note)
    count = sum(int(parameter.size) for parameter in converted.model.parameters())
    heads = ", ".join(f"{name} ({size})" if size else name for name, size in converted.model.head_sizes.items())
    print(f"{output}: {count} parameters; heads: {heads or 'none'}")
    if converted.optimizer:
        step = f"checkpoints/step-{converted.num_updates:08d}"
        print(f"to go on training: copy it to RUN/{step}, then train with --init_from {output} --output RUN --resume")
