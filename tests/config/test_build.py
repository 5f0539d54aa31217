from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.sample import Constant, Job, Linear, Optimizer, Options, Precision, Source
from unimo.config import load_config, read_yaml
from unimo.errors import InputError


def write(folder: Path, **texts: str) -> list[Path]:
    paths = [folder / f"{name}.yaml" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    return paths


def load(files: list[Path], *overrides: str, **links: str) -> Job:
    job: Job = load_config({"": Job, "options": Options}, files, overrides)[""]
    return job


def test_later_files_and_overrides_win(tmp_path: Path) -> None:
    files = write(
        tmp_path, a="task: x\noptimizer: {learning_rate: 1e-3, layers: [1]}", b="optimizer:\n  layers: [2, 3]"
    )
    job = load(files, "--optimizer.betas", "[0.5, 0.6]", "--seed=7")
    assert job.optimizer == Optimizer(1e-3, (0.5, 0.6), [2, 3]) and job.seed == 7


@pytest.mark.parametrize(
    "words",
    [
        ["--optimizer.learning_rate", "3e-5"],
        ["--optimizer.learning_rate=3e-5"],
        ["--optimizer.learning-rate", "3e-5"],
        ["optimizer.learning_rate=3e-5"],
        ["--seed", "4", "optimizer.learning_rate=3e-5"],
        ["--optimizer", "{learning_rate: 3e-5}"],
    ],
)
def test_spellings_of_an_override(words: list[str]) -> None:
    assert load([], "--task", "x", *words).optimizer.learning_rate == 3e-5


@pytest.mark.parametrize(
    ("words", "field", "expected"),
    [
        (["--name", "3"], "name", "3"),
        (["--name", "null"], "name", None),
        (["--name="], "name", ""),
        (["--name", "a: b"], "name", "a: b"),
        (["--resume"], "resume", True),
        (["--resume", "false"], "resume", False),
        (["--seed", "-3"], "seed", -3),
        (["--output", "a/b"], "output", Path("a/b")),
        (["--precision", "BFLOAT16"], "precision", Precision.BFLOAT16),
        (["--tags", "a", "b"], "tags", ("a", "b")),
        (["--tags", "[a, b]"], "tags", ("a", "b")),
        (["--files.dev", "3"], "files", {"dev": "3"}),
        (["--files", "{dev: a}"], "files", {"dev": "a"}),
        (["--sources", "[{path: a}, {path: b, weight: 2}]"], "sources", (Source(Path("a")), Source(Path("b"), 2.0))),
        (["--schedule.kind", "linear"], "schedule", Linear()),
        (["--schedule.num_steps", "3"], "schedule", Linear(num_steps=3)),
        (["--schedule.kind", "constant"], "schedule", Constant()),
        (["--teacher.learning_rate", "2"], "teacher", Optimizer(2.0)),
        (["--teacher", "null"], "teacher", None),
        (["--weights.a.path", "p"], "weights", {"a": Source(Path("p"))}),
    ],
)
def test_values_of_the_command_line(words: list[str], field: str, expected: Any) -> None:
    value = getattr(load([], "--task", "x", *words), field)
    assert value == expected and type(value) is type(expected)


def test_parts_stand_beside_each_other(tmp_path: Path) -> None:
    files = write(tmp_path, a="task: x\noptions:\n  beam_size: 3\n")
    built = load_config({"": Job, "options": Options}, files, ["--options.beam_size", "2"])
    assert built == {"": Job("x"), "options": Options(2)}
    assert read_yaml(files)["task"] == "x"
    # "options:" with nothing under it means its defaults
    assert load_config({"": Job, "options": Options}, write(tmp_path, b="task: x\noptions:\n"))["options"] == Options()


def test_a_part_that_is_a_field_is_given_to_the_dataclass_around_it() -> None:
    built = load_config({"": Job, "optimizer": Optimizer}, [], ["--task", "x", "--optimizer.learning_rate", "2"])
    assert built[""].optimizer is built["optimizer"] and built["optimizer"].learning_rate == 2.0


def test_nested_file_is_relative_to_the_yaml_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, tiny="learning_rate: 0.5\nlayers: [4]\n")
    files = write(tmp_path / "sub", a="task: x\noptimizer: ../tiny.yaml\n", b="optimizer:\n  layers: [5]\n")
    assert load(files[:1]).optimizer == Optimizer(0.5, layers=[4])
    assert load(files).optimizer == Optimizer(0.5, layers=[5])
    assert load(files, "--optimizer.learning_rate", "2").optimizer == Optimizer(2.0, layers=[5])
    # a file named on the command line replaces what the yaml says, and flags reach into it in either order
    (other,) = write(tmp_path, other="layers: [6]\n")
    words = ["--optimizer.learning_rate", "3", "--optimizer", str(other)]
    assert load(files, *words).optimizer == Optimizer(3.0, layers=[6])
    assert read_yaml(files[:1], ["--optimizer.learning_rate", "2"])["optimizer"] == {"learning_rate": 2, "layers": [4]}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("task: x\noptimizer:\n  learning_rat: 1\n", 3, "optimizer.learning_rat: unknown key; did you mean optimizer."),
        ("task: x\nlearning_rate: 1\n", 2, "did you mean optimizer.learning_rate?"),
        ("task: x\nzzz: 1\n", 2, "zzz: unknown key; expected one of "),
        ("task: 3\n", 1, "task: expected str, got 3"),
        ("task: x\nseed: true\n", 2, "seed: expected int, got true"),
        ("task: x\nseed: 1.0\n", 2, "seed: expected int, got 1.0"),
        ('task: x\nseed: "1"\n', 2, "seed: expected int, got '1'"),
        ("task: x\nseed:\n", 2, "seed: expected int, got null"),
        ("task: x\noptimizer:\n  betas: [0.1]\n", 3, "optimizer.betas: expected list of 2 (float, float), got 1 elem"),
        ("task: x\noptimizer:\n  layers: [1, a]\n", 3, "optimizer.layers.1: expected int, got 'a'"),
        ("task: x\nprecision: FLOAT16\n", 2, "precision: expected one of FLOAT32, BFLOAT16, got 'FLOAT16'"),
        ("task: x\noptimizer:\n  layers: []\n  learning_rate: -1\n", 4, "optimizer.learning_rate: learning_rate must"),
        ("task: x\nsources:\n- path: a\n- weight: 1\n", 4, "sources.1.path: missing; expected path"),
        ("task: x\nsources:\n- path: a\n  wight: 1\n", 4, "did you mean sources.0.weight?"),
        ("task: x\nschedule: {kind: cosine}\n", 2, "schedule.kind: expected constant, got 'cosine'"),
        ("task: x\noptimizer: 3\n", 2, "optimizer: expected a mapping or the name of a yaml file, got 3"),
        ("task: x\noptimizer: none.yaml\n", 2, "none.yaml: no such file"),
        ("task: x\nfiles: {dev: 3}\n", 2, "files.dev: expected str, got 3"),
        ("task: x\noptions:\n  beam: 3\n", 3, "did you mean options.beam_size?"),
        ("task: x\nseed: 1\ntask: y\n", 3, "task: given twice (first in line 1)"),
        ("task: x\noptimizer: {layers: [1], layers: [2]}\n", 2, "optimizer.layers: given twice"),
        ("task: x: y\n", 1, "not valid yaml"),
        ("task: !!python/object:os.system x\n", 1, "not valid yaml"),
        ("- a\n", 1, "expected a mapping of names to values"),
        ("seed: 3\n", None, "task: missing; expected str"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, line: int | None, message: str) -> None:
    files = write(tmp_path, job=text)
    with pytest.raises(InputError) as error:
        load(files)
    assert str(error.value).startswith(f"{files[0]}:{line or ''}".rstrip(":") + ":"), error.value
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--optimizer.learning_rat", "1"],
            "--optimizer.learning_rat: unknown key; did you mean --optimizer.learning_",
        ),
        (["--optimizer.learn", "1"], "--optimizer.learn: unknown key"),  # no abbreviations
        (["--learning_rate", "1"], "did you mean --optimizer.learning_rate?"),
        (["--optimizer.learning_rate", "abc"], "--optimizer.learning_rate: expected float, got 'abc'"),
        (["--optimizer.learning_rate", "-1"], "--optimizer.learning_rate: learning_rate must be positive"),
        (["--optimizer.learning_rate"], "--optimizer.learning_rate: needs a value: float"),
        (["--seed", "1", "2"], "--seed: takes one value (int), got also '2'"),
        (["stray"], "unexpected argument 'stray'"),
        (["--seed", "1", "--seed.x", "1"], "seed is 1 and has no 'x' in it"),
        (["--sources.3.path", "a"], "--sources: expected list of mapping of Source fields, got {'3'"),
        (["--sources", "[{"], "--sources: not valid yaml"),
        (["--sources", "3"], "--sources: expected list of"),
    ],
)
def test_mistakes_on_the_command_line_are_named(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        load([], *words, "--task", "x")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load([tmp_path / "none.yaml"])
    (tmp_path / "bytes.yaml").write_bytes(b"task: \xff\n")
    with pytest.raises(InputError, match="not valid UTF-8"):
        load([tmp_path / "bytes.yaml"])
    with pytest.raises(InputError, match="cannot be read"):
        load([tmp_path])


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    text = "task: x\noptimizer: &base {learning_rate: 0.5, layers: [1]}\nteacher:\n  <<: *base\n  layers: [2]\n"
    assert load(write(tmp_path, a=text)).teacher == Optimizer(0.5, layers=[2])


def test_links_fill_what_nobody_set() -> None:
    parts, links = {"": Job, "options": Options}, {"options.hidden_size": "seed"}
    assert load_config(parts, [], ["--task", "x"], links)["options"].hidden_size == 1  # the source's default
    assert load_config(parts, [], ["--task", "x", "--seed", "9"], links)["options"].hidden_size == 9
    words = ["--task", "x", "--seed", "9", "--options.hidden_size", "2"]
    assert load_config(parts, [], words, links)["options"].hidden_size == 2


def test_a_text_where_a_list_is_expected_says_how_to_write_it(tmp_path: Path) -> None:
    files = write(tmp_path, a="task: x\ntags: corpus.jsonl\n")
    with pytest.raises(
        InputError, match=r"a\.yaml:2: tags: expected list of .*'; it is a list: write \[corpus.jsonl\]$"
    ):
        load(files)
