"""Process settings that make Paddle's CPU kernels several times faster, applied before Paddle starts.

Each was measured on AMD Zen 4 with paddlepaddle 3.3.1 (one encoder training step, one thread: 28 -> 86 GFLOP/s
together). None changes what is computed, beyond the rounding of sums taken in another order, what lies below 1.2e-38
where denormal numbers are flushed, and which elements a seed lets dropout drop, which compiled loops decide otherwise.

``UNIMO_RUNTIME_SETTINGS=0`` in the environment switches all of them off; a comma-separated list of names switches on
those alone. A variable that the user has set already is left as it is.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
import os
import platform
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unimo.runtime.denormals import can_flush, flush_denormals

SWITCH = "UNIMO_RUNTIME_SETTINGS"

ALL_CORES_MARK = "UNIMO_ALL_CORES_SET"
"""Tells a child process that the thread count it inherited was chosen here, not by the user."""

# glibc's mallopt parameters (malloc.h)
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


@dataclass(frozen=True)
class Setting:
    """One runtime setting: when it is wanted, and what it does."""

    name: str
    reason: str
    wanted: Callable[[], bool]
    variable: str | None = None
    """The environment variable that it sets; it counts only if it is set before Paddle is imported."""
    value: Callable[[], str] = str
    apply: Callable[[], None] | None = None
    """What is done where no variable is enough; works at any time."""
    gain: str = "step_ms"
    """Of what ``unimo doctor`` measures, what tells its gain."""
    package: str | None = None
    """What must be installed for it."""
    programs_only: bool = False
    """Whether it changes what other code of the process computes, so that a mere import leaves it alone."""


def is_amd_cpu() -> bool:
    """Whether /proc/cpuinfo names AMD as the vendor (the bundled MKL takes a slow path there)."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "AuthenticAMD" in cpuinfo.read_text(errors="replace")


def is_glibc() -> bool:
    """Whether this process runs on glibc, whose allocator ``mallopt`` tunes."""
    return platform.libc_ver()[0] == "glibc"


def is_one_of_many() -> bool:
    """Whether Paddle's launcher started this process; its processes share the cores."""
    return "PADDLE_TRAINER_ID" in os.environ or "PADDLE_TRAINERS_NUM" in os.environ


def usable_cores() -> int:
    """The processor cores that this process may use: its affinity, and the quota of its control group."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _quota_cores() or affinity))


def _quota_cores() -> int | None:
    """The control group's processor time in cores, rounded up; None where there is no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else math.ceil(int(quota) / int(period))


def _keep_freed_memory() -> None:
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(M_TOP_PAD, 64 * 1024 * 1024)


def _wants_all_cores() -> bool:
    return "OMP_NUM_THREADS" not in os.environ and not is_one_of_many()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "mkl_fast_path",
        "the bundled MKL takes a slow path on AMD (matrix product 36 -> 101 GFLOP/s)",
        is_amd_cpu,
        variable="MKL_DEBUG_CPU_TYPE",
        value=lambda: "5",
    ),
    Setting(
        "keep_freed_memory",
        "glibc returns large blocks to the kernel after every operation (relu of 12 MB 6.1 -> 0.66 ms)",
        is_glibc,
        apply=_keep_freed_memory,
    ),
    Setting(
        "contiguous_views",
        "strided views make slow copies later (training step 1.85 -> 1.55 s)",
        lambda: True,
        variable="FLAGS_use_stride_kernel",
        value=lambda: "0",
    ),
    Setting(
        "flush_denormals",
        "trained networks are full of denormal numbers (8 late steps' losses and gradients 5.2 -> 1.5 s)",
        can_flush,
        apply=flush_denormals,
        gain="denormal_ms",
        programs_only=True,
    ),
    Setting(
        "compiled_loops",
        "Paddle goes over memory once for every operation between matrix products (gelu of a sum 9 -> 3 ms)",
        lambda: True,
        apply=lambda: None,  # unimo.kernels asks
        package="numba",
    ),
    # MKL's own variable and not OMP_NUM_THREADS: the same gain, and Paddle does not warn of it on every import
    Setting(
        "all_cores",
        "Paddle starts with one thread (matrix product 99 -> 166 GFLOP/s on 2 cores)",
        _wants_all_cores,
        variable="MKL_NUM_THREADS",
        value=lambda: str(usable_cores()),
    ),
)

LEFT_TO_PROGRAMS = "left to programs"

_states: dict[str, str] = {}
_is_program = False


def is_enabled(name: str) -> bool:
    """Whether the user left the setting of that name on."""
    switch = os.environ.get(SWITCH, "")
    if switch in ("", "0", "1"):
        return switch != "0"
    return name in [each.strip() for each in switch.split(",")]


def apply_settings(is_program: bool = False) -> tuple[str, ...]:
    """Apply every setting that this machine calls for, once; returns the names of those applied.

    ``is_program``: the process is a program of this package, and no other code's.

    Environment variables only count before Paddle is imported, so ``import unimo`` must come before
    ``import paddle``; where Paddle is already there, those settings are left alone and reported as too late.
    """
    global _is_program
    _is_program |= is_program
    if not _states:
        _reject_unknown_names()
        if os.environ.get(SWITCH) != "0":
            # Paddle warns on import that a C++ compiler cache is missing, which nothing here needs
            warnings.filterwarnings("ignore", message="No ccache found", category=UserWarning)
        if is_one_of_many() or "OMP_NUM_THREADS" in os.environ:
            _forget_inherited_cores()
    for setting in SETTINGS:
        if _states.get(setting.name, LEFT_TO_PROGRAMS) == LEFT_TO_PROGRAMS:
            _states[setting.name] = _apply(setting)
    return tuple(name for name, state in _states.items() if state == "applied")


def setting_states() -> dict[str, str]:
    """What came of every setting: "applied", "off" (by the user), "not needed here", "too late" (Paddle was imported
    before), "left at <value>" (the user set its variable), "left to programs" (this is none of ours), "<package> is
    missing"."""  # fmt: skip
    apply_settings()
    return dict(_states)


def clean_environment() -> dict[str, str]:
    """This process's environment without the variables that the settings put there, for a child process."""
    ours = {each.variable for each in SETTINGS if _states.get(each.name) == "applied"} | {ALL_CORES_MARK}
    return {name: value for name, value in os.environ.items() if name not in ours}


def is_program() -> bool:
    """Whether this process was said to be a program of this package."""
    return _is_program


def _apply(setting: Setting) -> str:
    if not is_enabled(setting.name):
        return "off"
    if not setting.wanted():
        return "not needed here"
    if setting.package is not None and importlib.util.find_spec(setting.package) is None:
        return f"{setting.package} is missing"
    if setting.programs_only and not _is_program:
        return LEFT_TO_PROGRAMS
    if setting.apply is not None:
        setting.apply()
        return "applied"
    assert setting.variable is not None
    value = setting.value()
    given = os.environ.get(setting.variable)
    if given is not None and given != value:
        return f"left at {given}"
    if "paddle" in sys.modules:
        return "applied" if given == value else "too late"
    os.environ[setting.variable] = value
    if setting.name == "all_cores" and given is None:
        os.environ[ALL_CORES_MARK] = value
    return "applied"


def _forget_inherited_cores() -> None:
    """Drop the thread count that a parent process took for itself alone."""
    if os.environ.pop(ALL_CORES_MARK, None) is not None and "paddle" not in sys.modules:
        os.environ.pop("MKL_NUM_THREADS", None)


def _reject_unknown_names() -> None:
    known = {"", "0", "1"} | {setting.name for setting in SETTINGS}
    unknown = [each for each in os.environ.get(SWITCH, "").split(",") if each.strip() not in known]
    if unknown:
        names = ", ".join(setting.name for setting in SETTINGS)
        warnings.warn(f"{SWITCH}: no such setting: {', '.join(unknown)} (there are {names})", stacklevel=3)
