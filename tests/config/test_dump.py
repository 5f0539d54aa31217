from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.sample import Constant, Job, Linear, Optimizer, Options, Precision, Source
from unimo.config import dump_config, load_config

TEXT = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["null", "1e-4", "1e5", "3", "yes", "a: b", "x.yaml", "2020-01-01", "\x85", "a\n b\n"]),
)
FLOAT = st.floats(allow_nan=False)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_nan=False)
OPTIMIZERS = st.builds(
    Optimizer, learning_rate=POSITIVE, betas=st.tuples(FLOAT, FLOAT), layers=st.lists(st.integers(), max_size=3)
)
PATHS = st.sampled_from(["a", "a/b.txt", "../c", "/tmp/x", "null", "1"]).map(Path)
SOURCES = st.builds(Source, path=PATHS, weight=FLOAT)
JOBS = st.builds(
    Job,
    task=TEXT,
    optimizer=OPTIMIZERS,
    schedule=st.one_of(st.builds(Constant), st.builds(Linear, num_steps=st.integers())),
    teacher=st.none() | OPTIMIZERS,
    sources=st.lists(SOURCES, max_size=2).map(tuple),
    files=st.dictionaries(TEXT, TEXT, max_size=2),
    precision=st.sampled_from(Precision),
    name=st.none() | TEXT,
    output=st.none() | PATHS,
    resume=st.booleans(),
    seed=st.integers(),
    tags=st.lists(st.none() | TEXT, max_size=3).map(tuple),
    weights=st.dictionaries(TEXT, SOURCES, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(JOBS, st.builds(Options, st.integers()))
def test_what_is_written_is_read_back(job: Job, options: Options) -> None:
    parts = {"": job, "options": options}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(parts), encoding="utf-8")
        assert load_config({"": Job, "options": Options}, [path]) == parts


def test_every_value_is_written() -> None:
    text = dump_config({"": Job("x"), "options": Options()})
    assert "learning_rate: 0.0001\n" in text and "beam_size: 5\n" in text and "teacher: null\n" in text
    assert "betas: [0.9, 0.98]\n" in text and "precision: FLOAT32\n" in text
