"""Where a launcher finds its master, and what it is told of this machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from unimo.training import launch, supervisor
from unimo.training.launch import Plan, find_master, find_meeting
from unimo.training.supervisor import Supervisor


def names(monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]], own: set[str], way_out: str = "") -> None:
    """A machine with these addresses, which knows these names."""

    def look_up(host: str, *_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(launch.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(launch, "_is_own", lambda address: address.startswith("127.") or address in own)
    monkeypatch.setattr(launch, "_way_out", lambda: way_out)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("localhost", ("127.0.0.1", True)),
        ("127.0.0.1", ("127.0.0.1", True)),
        ("first", ("10.0.0.1", True)),  # as Debian writes /etc/hosts: other machines cannot reach 127.0.1.1
        ("10.0.0.1", ("10.0.0.1", True)),
        ("second", ("10.0.0.2", False)),
        ("two-cards", ("10.0.0.1", True)),
    ],
)
def test_a_master_is_given_as_an_address_and_known_as_this_machine(
    monkeypatch: pytest.MonkeyPatch, host: str, found: tuple[str, bool]
) -> None:
    known = {"localhost": ["127.0.0.1"], "first": ["127.0.1.1"], "second": ["10.0.0.2"]}
    known |= {"two-cards": ["192.168.0.1", "10.0.0.1"], "127.0.0.1": ["127.0.0.1"], "10.0.0.1": ["10.0.0.1"]}
    names(monkeypatch, known, {"10.0.0.1"}, way_out="10.0.0.1")
    assert find_master(host) == found
    address, is_here = found
    words = Plan(["train"], Path("run"), nodes=2, master=f"{host}:29500", node_rank=1).launcher(Path("logs"), False)
    assert words[words.index("--master") + 1] == f"{address}:29500"
    assert ("--host" in words) == is_here
    assert not is_here or words[words.index("--host") + 1] == address


def test_a_machine_without_a_network_is_its_own_master(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"first": ["127.0.1.1"]}, set())
    assert find_master("first") == ("127.0.1.1", True)


def test_this_machines_own_addresses_are_known() -> None:
    assert launch._is_own("127.0.0.1") and not launch._is_own("192.0.2.77")
    assert launch._way_out() == "" or launch._is_own(launch._way_out())


def test_a_name_that_is_not_known_yet_is_waited_for_and_one_that_is_never_known_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known: dict[str, list[str]] = {}
    names(monkeypatch, known, set())
    waiting = Supervisor(Plan([], tmp_path, nodes=2, master="pod-0.pods:1"))
    monkeypatch.setattr(waiting, "_sleep", lambda seconds: known.update({"pod-0.pods": ["10.0.0.1"]}))
    assert "10.0.0.1:1" in waiting._launcher_command(tmp_path, False)
    known.clear()
    monkeypatch.setattr(waiting, "_sleep", lambda seconds: None)
    monkeypatch.setattr(supervisor, "NAME_SECONDS", 0.0)
    monkeypatch.setattr(supervisor, "adopt_orphans", lambda: None)
    assert waiting.run() == 1
    assert capsys.readouterr().err == "unimo: error: master: pod-0.pods:1: Name or service not known\n"


def test_what_an_attempts_processes_have_in_common_is_read_from_their_environment(tmp_path: Path) -> None:
    assert find_meeting(tmp_path) == ""
    (tmp_path / "envlog.0").write_text("A=1\nPADDLE_MASTER=10.0.0.1:40")
    assert find_meeting(tmp_path) == ""
    (tmp_path / "envlog.0").write_text("A=1\nPADDLE_MASTER=10.0.0.1:4000\nPADDLE_TRAINER_ID=0\n")
    assert find_meeting(tmp_path) == "10.0.0.1:4000"
