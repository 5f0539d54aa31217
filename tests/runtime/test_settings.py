from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from unimo.runtime.settings import ALL_CORES_MARK, SETTINGS, SWITCH

VARIABLES = [each.variable for each in SETTINGS if each.variable] + [
    SWITCH,
    ALL_CORES_MARK,
    "OMP_NUM_THREADS",
    "PADDLE_TRAINER_ID",
    "PADDLE_TRAINERS_NUM",
]


def run_python(code: str, **variables: str) -> str:
    """Standard output of a new process in which only the named variables of ours are set."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment | variables, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    if variables.get(SWITCH) != "0":
        told = [line for line in finished.stderr.splitlines() if "OMP_NUM_THREADS" not in line]  # which Paddle says
        assert not told or "no such setting" in finished.stderr, finished.stderr
    return finished.stdout


STATES = """
import json, os, unimo, sys
from unimo.runtime import apply_settings, setting_states
imported = setting_states()["flush_denormals"]
assert imported in ("left to programs", "not needed here", "off"), imported
apply_settings(is_program=True)
assert "paddle" not in sys.modules
names = ("MKL_DEBUG_CPU_TYPE", "FLAGS_use_stride_kernel", "MKL_NUM_THREADS")
print(json.dumps([setting_states(), {name: os.environ.get(name) for name in names}]))
"""

FORWARD = """
import unimo, paddle, json
paddle.seed(3)
layer = paddle.nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0)
inputs = paddle.rand([2, 9, 32])
outputs = layer(inputs)
outputs.square().mean().backward()
print(json.dumps([outputs.numpy().tolist(), layer.linear1.weight.grad.numpy().tolist()]))
"""


def test_zero_switches_all_off() -> None:
    states, variables = json.loads(run_python(STATES, **{SWITCH: "0"}))
    assert states == {each.name: "off" for each in SETTINGS}
    assert set(variables.values()) == {None}


def test_a_list_switches_on_those_alone() -> None:
    states, variables = json.loads(run_python(STATES, **{SWITCH: "contiguous_views"}))
    assert states["contiguous_views"] == "applied" and list(states.values()).count("off") == len(SETTINGS) - 1
    assert variables["FLAGS_use_stride_kernel"] == "0"


def test_by_default_what_the_machine_needs_is_applied() -> None:
    states, variables = json.loads(run_python(STATES))
    for setting in SETTINGS:
        if setting.name != "all_cores":
            assert states[setting.name] == ("applied" if setting.wanted() else "not needed here"), setting.name
    from unimo.runtime import usable_cores

    assert states["all_cores"] == "applied" and variables["MKL_NUM_THREADS"] == str(usable_cores())


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "PADDLE_TRAINER_ID", "PADDLE_TRAINERS_NUM"])
def test_all_cores_are_left_to_others_where_the_process_is_one_of_many(name: str) -> None:
    states, variables = json.loads(run_python(STATES, **{name: "1"}))
    assert states["all_cores"] == "not needed here" and variables["MKL_NUM_THREADS"] is None
    # nor does a launched process keep the count that its parent took for itself
    inherited = {"MKL_NUM_THREADS": "2", ALL_CORES_MARK: "2", name: "1"}
    assert json.loads(run_python(STATES, **inherited))[1]["MKL_NUM_THREADS"] is None
    # but it does keep what the user said
    assert json.loads(run_python(STATES, **{"MKL_NUM_THREADS": "2", name: "1"}))[1]["MKL_NUM_THREADS"] == "2"


def test_the_users_own_value_stays() -> None:
    states, variables = json.loads(run_python(STATES, FLAGS_use_stride_kernel="1"))
    assert states["contiguous_views"] == "left at 1" and variables["FLAGS_use_stride_kernel"] == "1"


def test_too_late_after_paddle() -> None:
    # a stand-in for Paddle is enough: what counts is that it is there
    states, variables = json.loads(
        run_python(
            "import sys, types\nsys.modules['paddle'] = types.ModuleType('paddle')\n" + STATES.replace("assert", "#")
        )
    )
    assert states["contiguous_views"] == "too late" and variables["FLAGS_use_stride_kernel"] is None


def test_an_unknown_name_is_reported() -> None:
    code = (
        "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n    import unimo\nprint(seen[0].message)"
    )
    assert "no such setting: mkl_fst" in run_python(code, **{SWITCH: "mkl_fst"})


def test_settings_do_not_change_results() -> None:
    import numpy as np

    with_settings, without = json.loads(run_python(FORWARD)), json.loads(run_python(FORWARD, **{SWITCH: "0"}))
    for ours, plain in zip(with_settings, without, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=2e-5, atol=1e-6)
    assert np.abs(with_settings[1]).max() > 0
