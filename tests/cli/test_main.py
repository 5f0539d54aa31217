from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from unimo.cli import main, verbs
from unimo.errors import InputError


def start(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "unimo", *words], capture_output=True, text=True, check=False)


def test_help_lists_every_verb_without_importing_paddle() -> None:
    code = (
        "import sys\nfrom unimo.cli import main\nmain(['--help'])\n"
        "heavy = {'paddle', 'numpy', 'cv2', 'jsonargparse', 'yaml'} & set(sys.modules)\nassert not heavy, heavy"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for verb, path in verbs.find_verbs().items():
        assert f"  {verb} " in finished.stdout and str(verbs.read_summary(path)) in finished.stdout


def test_help_takes_a_small_part_of_importing_paddle() -> None:
    def seconds(*words: str) -> float:
        timings = []
        for _ in range(2):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *words], capture_output=True, check=True)
            timings.append(time.perf_counter() - begin)
        return min(timings)

    assert seconds("-m", "unimo", "--help") < 0.35 * seconds("-c", "import paddle")


@pytest.mark.parametrize("verb", sorted(verbs.find_verbs()))
def test_every_verb_describes_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: python -m unimo {verb} ")
    assert str(verbs.read_summary(verbs.find_verbs()[verb])) in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["docto"], "no such verb: 'docto'; did you mean 'doctor'?"),
        (["qqqqqq"], "no such verb: 'qqqqqq'; see `python -m unimo --help`"),
        (["--hlep"], "no such verb: '--hlep'"),
        (["worlds", "shaps"], "no such verb: 'worlds shaps'; did you mean 'worlds shapes'?"),
        (["worlds"], "worlds: expected one of shapes"),
        (["doctor", "--quik"], "--quik: unknown key; did you mean --quick?"),
        (["doctor", "--quic"], "did you mean --quick?"),  # no silent completion
        (["doctor", "--quick", "3"], "--quick: expected bool, got '3'"),
        (["doctor", "stray"], "unexpected argument 'stray'"),
        (["doctor", "--quick", "--quick"], "--quick: given twice"),
    ],
)
def test_typing_mistakes_are_one_line_and_status_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("unimo: error: ") and message in captured.err
    assert captured.err.count("\n") == 1


def test_without_a_verb_the_overview_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2 and "verbs:" in capsys.readouterr().out
    assert main(["worlds", "--help"]) == 0 and "worlds shapes" in capsys.readouterr().out
    assert main(["--version"]) == 0 and capsys.readouterr().out.startswith("unimo ")


def test_what_a_verb_raises(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def raising(error: BaseException) -> int:
        def run_verb(argv: list[str]) -> int:
            raise error

        monkeypatch.setattr(verbs, "run_verb", run_verb)
        return main(["x"])

    assert raising(InputError("a.yaml:3: two\nlines")) == 2
    assert capsys.readouterr().err == "unimo: error: a.yaml:3: two lines\n"
    assert raising(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(ValueError, match="ours"):  # a fault of ours keeps its traceback
        raising(ValueError("ours"))


def test_status_reaches_the_shell() -> None:
    finished = start("docto")
    assert finished.returncode == 2 and finished.stderr.count("\n") == 1
    assert start("--help").returncode == 0


def test_a_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run(
        [sys.executable, "-m", "unimo", "--help"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert finished.returncode == 0 and finished.stderr == ""
