"""Every suite runs on a tiny network and reports what it promises; a worker does the work of its peer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unimo.bench import SUITES, Bench, peers, run_suite
from unimo.bench.byte_pairs import PlainTokenizer
from unimo.bench.figures import Figure, peer_ratios
from unimo.bench.suite_padding import batches_by_kind, caption_sizes, make_examples, padding_shares
from unimo.bench.timing import in_turns
from unimo.cli.verbs import run_verb
from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer

FIGURES = {
    "encoder": {"encoder.text.forward", "encoder.text.step", "encoder.pair.forward", "encoder.pair.step"},
    "decode": {"decode.text", "decode.captioning", "decode.growth_8_to_64"},
    "tokenizer": {"tokenizer.encode"},
    "reader": {"reader.store", "reader.store.memory_growth"},
    "padding": {
        "padding.text.fixed.share",
        "padding.pair.fixed.share",
        "padding.text.by_length",
        "padding.text.by_length.share",
        "padding.text.packed",
        "padding.text.packed.share",
        "padding.pair.by_length",
        "padding.pair.by_length.share",
        "padding.pair.packed",
        "padding.pair.packed.share",
    },
    "retrieval": {"retrieval.pairs"},
    "pretrain": {"pretrain.tiny.contrastive_step"},
    "export": {"export.pair", "export.match", "export.image_prefix", "export.step"},
    "startup": {"startup.all", "startup.ablation"},
}


@pytest.mark.parametrize("suite", sorted(FIGURES))
def test_a_suite_reports_its_figures(suite: str) -> None:
    figures = run_suite(suite, Bench(repeats=1, size="tiny", peers=False))
    assert {figure.name for figure in figures} == FIGURES[suite]
    assert all(figure.value > 0 or figure.unit == "% padded" or "memory" in figure.name for figure in figures)
    assert all(0 < figure.share_of_peak < 1.1 for figure in figures if figure.share_of_peak is not None)


def test_every_suite_is_tested() -> None:
    assert set(SUITES) == set(FIGURES)


def test_the_verb_writes_figures_and_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    assert run_verb(["bench", "tokenizer", "--size", "tiny", "--repeats", "1", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert {"name", "value", "unit", "share_of_peak", "peers"} == set(written["figures"][0])
    assert set(written["figures"][0]["peers"]) == {"plain Python", "plain Python, word cache"}
    assert {"processor", "threads", "load_average", "paddlepaddle"} <= set(written["machine"])
    assert "tokenizer.encode" in capsys.readouterr().out


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(InputError, match="there is no 'encoders'"):
        run_verb(["bench", "encoders"])


def test_a_worker_answers_with_its_seconds() -> None:
    options = {"size": "tiny", "batch": 1, "num_tokens": 4}
    with peers.own("forward", 1, 2, options, settings="0") as worker:
        assert worker.run() > 0
        assert worker.versions["paddlepaddle"]


def test_a_peer_that_is_not_there_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(peers.PEERS_VARIABLE, str(tmp_path / "python"))
    bench = Bench(repeats=1, size="tiny")
    figure = bench.compare("x", lambda: None, "runs/s", 1, peers={"pytorch": lambda: peers.pytorch("forward", 1, {})})
    assert figure.peers == {}
    assert "without pytorch: not installed" in bench.notes[0]


def test_runs_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    values = {"a": iter([100.0, 1.0, 2.0, 9.0]), "b": iter([100.0, 4.0, 4.0, 4.0])}

    def run(name: str) -> float:
        order.append(name)
        return next(values[name])

    assert in_turns({name: lambda name=name: run(name) for name in values}, 3) == {"a": 2.0, "b": 4.0}
    assert order == ["a", "b"] * 4
    assert peer_ratios({"ours": 2.0, "b": 4.0}, "ours", ["b", "c"]) == {"b": 2.0}


def test_a_figure_as_a_line() -> None:
    line = Figure("encoder.text.forward", 4.5, "sequences/s", 0.875, {"pytorch": 1.25}).line()
    assert "87.5% of peak" in line
    assert "1.25 x pytorch" in line


@pytest.mark.parametrize("cached", [False, True])
def test_the_plain_tokenizer_gives_the_same_ids(cached: bool) -> None:
    texts = ["low lower lowest", "a new newer  town's 12 towers!", "tower lower new"]
    tokenizer = UnimoTokenizer.train(texts * 3, 300)
    assert PlainTokenizer(tokenizer.vocabulary, cached).encode_batch(texts) == tokenizer.encode_batch(texts)


def test_padding_is_counted_as_the_batches_have_it() -> None:
    sizes = caption_sizes([5, 9, 30, 7, 12, 8, 22, 4, 6, 17], regions=True)
    shares = padding_shares(sizes, 400)
    for kind, batches in batches_by_kind(make_examples(sizes), 400).items():
        positions = sum(batch.num_positions for batch in batches)
        assert shares[kind] == pytest.approx(1 - sum(batch.num_valid for batch in batches) / positions), kind
