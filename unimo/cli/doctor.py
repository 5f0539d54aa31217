"""Report what this machine has, what is missing, and what the runtime settings gain on it.

The measurements run the same small workload in a fresh process with all settings, with all but one, and with none; a
setting's gain is how much longer an encoder layer's training step takes without it, or what it is meant for. They need
half a minute.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUMMARY = "report versions, hardware, runtime settings and what they gain, and optional tools"

MEASURE_TIMEOUT = 60  # seconds a process
MEASURED = {"step_ms": "the step", "denormal_ms": "the product of denormals"}


@dataclass(frozen=True)
class Arguments:
    """Flags."""

    quick: bool = False
    """Leave out the measurements."""


def run(arguments: Arguments) -> int:
    """Print the report; the status is 1 if a required package is missing."""
    packages, missing = describe_packages()
    for title, lines in (
        ("packages", packages),
        ("machine", list(describe_machine())),
        ("tools", list(describe_tools())),
        ("runtime settings", list(describe_settings())),
    ):
        print(f"{title}:", *(f"  {line}" for line in lines), sep="\n", flush=True)
    if "paddlepaddle" in missing:
        print("measurements: left out, Paddle is missing")
    elif not arguments.quick:
        print("what the settings gain here:", flush=True)
        for line in describe_gains():
            print(f"  {line}", flush=True)
    return 1 if missing else 0


def describe_packages() -> tuple[list[str], list[str]]:
    """A line a required package, and the names of those that are missing."""
    from unimo.runtime.environment import describe_environment, requirements

    environment, wanted = describe_environment(), requirements()
    lines = [f"{'python':<28}{environment['python']}", f"{'unimo':<28}{environment['unimo']}"]
    if environment["git"] is not None:
        lines[-1] += (
            f" (commit {environment['git']['commit'][:12]}{', changed' if environment['git']['dirty'] else ''})"
        )
    for name, version in environment["packages"].items():
        note = "" if version is None or _matches(version, wanted[name]) else f" (wanted {wanted[name]})"
        lines.append(f"{name:<28}{version or 'missing'}{note}")
    return lines, [name for name, version in environment["packages"].items() if version is None]


def describe_machine() -> Iterator[str]:
    """Processor, cores, memory, threads, GPUs."""
    from unimo.runtime.settings import usable_cores

    yield f"{'platform':<28}{platform.platform()}"
    yield f"{'processor':<28}{_proc_field('/proc/cpuinfo', 'vendor_id')} {_proc_field('/proc/cpuinfo', 'model name')}"
    yield f"{'cores':<28}{usable_cores()} usable of {os.cpu_count()}"
    total, free = (_proc_field("/proc/meminfo", name).split(" ")[0] for name in ("MemTotal", "MemAvailable"))
    if total.isdigit() and free.isdigit():
        yield f"{'memory':<28}{int(total) / 2**20:.1f} GiB, {int(free) / 2**20:.1f} GiB available"
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        yield f"{name:<28}{os.environ.get(name, 'not set')}"
    yield f"{'GPUs':<28}{_describe_gpus()}"


def describe_tools() -> Iterator[str]:
    """Optional programs, and what is lost without them."""
    yield f"{'java':<28}{shutil.which('java') or 'not found: METEOR cannot be computed'}"
    yield f"{'git':<28}{shutil.which('git') or 'not found: runs do not record a commit'}"


def describe_settings() -> Iterator[str]:
    """What came of every runtime setting."""
    from unimo.runtime.settings import SETTINGS, setting_states

    states = setting_states()
    for setting in SETTINGS:
        yield f"{setting.name:<28}{states[setting.name]:<18}{setting.reason}"


class MeasurementError(Exception):
    """A measurement did not come to its end; the reason is shown, and the others go on."""


def describe_gains() -> Iterator[str]:
    """Measured gains, each against all settings together."""
    from unimo.runtime.settings import SETTINGS, setting_states

    # forced on only where this process has them, so that what is measured is what a job would run with
    on = [each.name for each in SETTINGS if setting_states()[each.name] == "applied"]
    if not on:
        yield "no setting is applied, so there is nothing to compare"
        return
    compared = {f"without {name}": [each for each in on if each != name] for name in on}
    gains = {f"without {each.name}": each.gain for each in SETTINGS}
    if len(on) > 1:
        compared["without any"] = []
    full = None
    for label, names in {"with all": on, **compared}.items():
        try:
            measured = measure(names)
        except MeasurementError as error:
            yield f"{label:<28}could not be measured: {error}"
            continue
        line = f"{label:<28}{_describe_measurement(measured)}"
        if label == "with all":
            full = measured
        elif full is not None:
            gain = gains.get(label, "step_ms")
            line += f" | {measured[gain] / full[gain]:.2f} times {MEASURED[gain]}"
        yield line


def measure(names: list[str]) -> dict[str, float]:
    """The measurements of :mod:`unimo.bench.gains_worker` in a new process with the named settings only.

    Raises:
        MeasurementError: the process failed, or did not end in time.
    """
    from unimo.runtime.settings import SWITCH, clean_environment

    environment = clean_environment() | {SWITCH: ",".join(names) or "0"}
    environment["PYTHONPATH"] = os.pathsep.join(each for each in (str(_source_folder()), *sys.path) if each)
    if "all_cores" in names:
        environment.pop("OMP_NUM_THREADS", None)  # Paddle puts it there when it is imported
    command = [sys.executable, "-W", "ignore", "-m", "unimo.bench.gains_worker"]
    try:
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=MEASURE_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"no answer in {MEASURE_TIMEOUT} seconds") from None
    if finished.returncode != 0:
        said = finished.stderr.strip().splitlines() or ["it said nothing"]
        raise MeasurementError(f"status {finished.returncode}, {said[-1][-400:]}")
    measured: dict[str, float] = json.loads(finished.stdout)
    return measured


def _source_folder() -> Path:
    return Path(__file__).resolve().parents[2]


def _describe_measurement(values: dict[str, float]) -> str:
    gflops = 2 * 1024**3 / values["matmul_ms"] / 1e6
    return (
        f"matrix product {gflops:6.1f} GFLOP/s | relu {values['relu_ms']:5.2f} ms | "
        f"transpose {values['transpose_ms']:6.2f} ms | "
        f"denormals {values['denormal_ms']:6.2f} ms | training step {values['step_ms']:7.1f} ms"
    )


def _describe_gpus() -> str:
    try:
        import paddle
    except ImportError as error:
        return f"unknown: Paddle cannot be imported ({error})"
    if not paddle.is_compiled_with_cuda():
        seen = "nvidia-smi is there" if shutil.which("nvidia-smi") else "no NVIDIA driver seen"
        return f"none usable: this Paddle is the CPU build ({seen})"
    return f"{paddle.device.cuda.device_count()} visible"


def _proc_field(path: str, name: str) -> str:
    """The first value of a field in one of Linux's /proc tables; "unknown" elsewhere."""
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return "unknown"
    for line in lines:
        field, _, value = line.partition(":")
        if field.strip() == name:
            return value.strip()
    return "unknown"


def _matches(version: str, specifier: str) -> bool:
    """Whether a version meets a pin; other specifiers (ranges) are left to the installer."""
    return not specifier.startswith("==") or version == specifier[2:]
