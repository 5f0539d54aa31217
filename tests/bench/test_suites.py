"""Every suite runs on a tiny network and reports what it promises; a worker does the work of its peer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import paddle
import pytest

from unimo.bench import SUITES, Bench, peers, run_suite, suites
from unimo.bench.byte_pairs import PlainTokenizer
from unimo.bench.figures import Figure, peer_ratios
from unimo.bench.samples import SCRIPTS, captions, images
from unimo.bench.suite_padding import batches_by_kind, caption_sizes, make_examples, padding_shares
from unimo.bench.timing import RunError, in_turns
from unimo.bench.workloads import SIZES, Decoder, Shape
from unimo.cli.bench import Arguments, report_lines
from unimo.cli.verbs import run_verb
from unimo.errors import InputError
from unimo.regions import FeatureSpec, RegionStoreWriter
from unimo.runtime import usable_cores
from unimo.tokenization import UnimoTokenizer

FIGURES = {
    "encoder": {"encoder.text.forward", "encoder.text.step", "encoder.pair.forward", "encoder.pair.step"},
    "decode": {
        "decode.text",
        "decode.text.copies",
        "decode.captioning",
        "decode.captioning.copies",
        "decode.text_16",
        "decode.text_16.copies",
        "decode.growth_8_to_64",
    },
    "tokenizer": {"tokenizer.encode", "tokenizer.encode_non_ascii"},
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


def test_a_reader_that_hoards_is_seen(tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path / "store", FeatureSpec("bench", "1", 256, 32)) as writer:
        writer.add_many(list(images(200, 36, 256, 32)))
    script = """if True:
        import sys
        from unimo.bench.memory_worker import growth
        print(growth(sys.argv[1], lambda store: [store[image_id] for image_id in store.ids()]))
    """
    grown = []
    for command in (["-m", "unimo.bench.memory_worker"], ["-c", script]):
        command = [sys.executable, *command, str(tmp_path / "store")]
        finished = subprocess.run(command, cwd=peers.REPOSITORY, capture_output=True, check=True)
        grown.append(int(finished.stdout))
    held = 200 * 36 * (256 + 32) * 4  # bytes of the float32 features and classes alone
    assert grown[0] < 0.5 * held and grown[1] > 0.9 * held


def test_every_suite_is_tested() -> None:
    assert set(SUITES) == set(FIGURES)


def test_the_verb_writes_figures_and_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    assert run_verb(["bench", "tokenizer", "--size", "tiny", "--repeats", "1", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert {"name", "value", "unit", "share_of_peak", "peers"} == set(written["figures"][0])
    assert set(written["figures"][0]["peers"]) == {"plain Python", "plain Python, word cache"}
    assert {"processor", "threads", "effective_threads", "paddlepaddle"} <= set(written["machine"])
    assert set(written["machine"]["load_average"]) == {"before", "after"}
    assert written["machine"]["runtime_settings"]["all_cores"] == "overridden by --threads 1"
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


def test_a_peer_that_dies_in_its_turn_is_noted_and_the_others_go_on() -> None:
    script = """if True:
        import json, sys
        lives = 2
        for line in sys.stdin:
            if "work" in json.loads(line):
                print(json.dumps({"ready": {"tool": "1"}}), flush=True)
            elif lives == 0:
                sys.exit("out of memory")
            else:
                lives -= 1
                print(json.dumps({"seconds": 1.0}), flush=True)
    """
    bench = Bench(repeats=3)
    start = partial(peers.Peer, [sys.executable, "-c", script], os.environ, "x", {})
    runs = {"local": lambda: 2.0}
    figure = bench.compare("x", lambda: None, "runs/s", 1, peers={"mortal": start}, local=runs)
    assert set(figure.peers) == {"local"}
    assert bench.notes == ["mortal: tool 1", "x: without mortal, which ended in the middle: out of memory"]


def test_a_run_that_fails_and_that_nobody_may_drop_fails_all() -> None:
    def fail() -> float:
        raise RunError("no")

    with pytest.raises(RunError, match="no"):
        in_turns({"a": fail}, 1)


def test_the_share_of_peak_is_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = {name: product.operations for name, product in suites.PRODUCTS.items()}
    rates = dict(zip(operations, (5e9, 20e9, 10e9), strict=True))
    seconds = {name: operations[name] / rate for name, rate in rates.items()} | {"ours": 2.0}
    monkeypatch.setattr(suites, "in_turns", lambda *_: seconds)
    bench = Bench()
    assert bench.compare("x", lambda: None, "runs/s", 1, operations=10**10).share_of_peak == pytest.approx(0.25)
    assert bench.peak_rates == {"x": pytest.approx(20e9)}
    assert bench.notes == ["x: peak is that of the matrix product 1024 x 768 x 3088"]


def test_the_copies_of_weights_are_counted_in() -> None:
    decoder = Decoder(SIZES["tiny"], Shape(1, 4), 2, 2)
    made: list[bool] = []
    search = decoder.search
    decoder.search = lambda: (made.append(bool(decoder.model.heads["masked_language"].copies)), search())[1]  # type: ignore[method-assign]
    decoder.evaluate()
    assert made == [True] and not decoder.model.heads["masked_language"].copies


@pytest.mark.parametrize("threads", [1, 2])
def test_the_threads_that_are_taken_are_those_asked_for(tmp_path: Path, threads: int) -> None:
    path = tmp_path / "figures.json"
    options = ["--size", "tiny", "--repeats", "1", "--threads", str(threads), "--json", str(path)]
    command = [sys.executable, "-W", "ignore", "-m", "unimo", "bench", "retrieval", *options]
    finished = subprocess.run(command, cwd=peers.REPOSITORY, capture_output=True, text=True, check=True)
    machine = json.loads(path.read_text())["machine"]
    if usable_cores() >= threads:
        assert set(machine["effective_threads"].values()) <= {threads}
    if (Path(paddle.__file__).parent / "libs" / "libmklml_intel.so").exists():
        assert "MKL" in machine["effective_threads"]
    assert "before, " in finished.stdout and machine["threads"] == threads


def test_threads_that_were_not_taken_are_told() -> None:
    machine = {"processor": "x", "clock": "y", "load_average": {"before": 0.5, "after": 2.0}}
    machine |= {"effective_threads": {"MKL": 2, "OpenMP": 3}}
    lines = list(report_lines(Arguments("encoder", threads=3), Bench(notes=["a note"]), [], machine))
    assert lines[1:] == ["MKL takes 2 and not 3 threads", "load average 0.5 before, 2.0 after", "a note"]


def test_made_up_texts_of_several_scripts() -> None:
    words = " ".join(captions(300, scripts=SCRIPTS)).split()
    assert 0.6 < sum(not word.isascii() for word in words) / len(words) < 0.9
    assert all(text.isascii() for text in captions(300))


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
