"""kill -9, and the power gone, at each step of a configuration: what starts next knows what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.configured import ConfigurationFile
from tests.support.configuring import SENT, Gateway, signed

OTHER = '[[source]]\ntype = "simulated_history"\nfile = "h"\n'


class PowerCut(BaseException):
    """Ends the process, as far as it can be ended within a test."""


def story(gateway: Gateway, *, well: bool) -> None:
    """One configuration was kept; another is sent, and kept or taken back."""
    gateway.send(signed(gateway.key, 2, OTHER))
    gateway.hands.linked = well
    gateway.passes(301)


def begun(folder: Path) -> Gateway:
    """A gateway that keeps its first configuration."""
    folder.mkdir(exist_ok=True)
    gateway = Gateway(folder)
    gateway.send(signed(gateway.key, 1))
    assert gateway.passes(301) == "kept"
    return gateway


def steps(folder: Path, *, well: bool) -> list[str]:
    """The steps of the story, in their order."""
    met: list[str] = []
    gateway = begun(folder)
    gateway.file.before_step = met.append
    story(gateway, well=well)
    return met


def first_of_each(met: list[str]) -> dict[str, int]:
    """The number of each step, where it comes first."""
    return {name: number for number, name in reversed(list(enumerate(met)))}


def cut_at(gateway: Gateway, number: int) -> None:
    """The power goes at the step of that number."""
    left = [number]

    def cut(_step: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCut

    gateway.file.before_step = cut


def ends_well(gateway: Gateway, *, well: bool) -> None:
    """What must be true after a start, whatever happened: one of the two is in force, whole, and it ends."""
    now = gateway.again().in_force
    assert not gateway.file.problem
    assert (now.version, gateway.types) in ((1, ("replay",)), (2, ("simulated_history",)))
    assert now.text == (SENT if now.version == 1 else OTHER)
    on_trial = now.trial is not None
    gateway.hands.linked = well or not on_trial
    gateway.passes(301)
    last = gateway.again().in_force
    assert last.trial is None
    if on_trial:
        assert last.version == (2 if well else 1)
    assert last.highest >= now.highest
    gateway.hands.linked = True
    assert gateway.send(signed(gateway.key, 3, OTHER, request="request-after")) == "taken"


@pytest.mark.parametrize("well", [True, False], ids=["kept", "went back"])
def test_the_power_cut_at_each_step(tmp_path: Path, *, well: bool) -> None:
    met = steps(tmp_path / "count", well=well)
    assert {"change the sources", "the sources are changed", "keep" if well else "go back"} <= set(met)
    for number in first_of_each(met).values():
        gateway = begun(tmp_path / str(number))
        cut_at(gateway, number)
        with pytest.raises(PowerCut):
            story(gateway, well=well)
        ends_well(gateway, well=well)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.edge.test_configuring_killed import begun, story
gateway = begun(Path(sys.argv[1]))
left = [int(sys.argv[2])]
def cut(_step):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
gateway.file.before_step = cut
story(gateway, well=sys.argv[3] == "kept")
"""


@pytest.mark.long
@pytest.mark.parametrize("how", ["kept", "went back"])
def test_a_process_killed_at_each_step(tmp_path: Path, how: str) -> None:
    root = Path(__file__).parents[2]
    met = steps(tmp_path / "count", well=how == "kept")
    for name, number in first_of_each(met).items():
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [sys.executable, "-c", KILLED, str(folder), str(number), how]
        done = subprocess.run(command, cwd=root, timeout=100, check=False)
        assert done.returncode == -9, name
        gateway = Gateway.over(folder)
        assert ConfigurationFile(folder / "data").read().version in (1, 2)
        ends_well(gateway, well=how == "kept")
