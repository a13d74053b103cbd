"""The files of a plant of processes: plant.toml, the services' settings, and a driver that agents find."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from palier.embedded import toml_text
from tests.support.counting_source import CHANNEL, POINTS_OF_A_MACHINE, UNIT, Pace, place

SITE: Final = "usine"
ROOT: Final = Path(__file__).resolve().parents[2]
BLOCKS_A_SECOND: Final = 5.0
"""Of each point; so a point's block is 0.2 s long, and none waits for a second point."""

_MACHINE: Final = """
[[machine]]
id = "{machine}"
name = "Pompe {machine}"
kind = "pump"
criticality = "B"
power_kw = 250.0
speed = {{ source = "frame" }}
limits = "iso10816-7:cat2:over200kw"
"""

_POINT: Final = """
[[machine.point]]
id = "{point}"

[[machine.point.channel]]
id = "{channel}"
quantity = "acceleration"
unit = "{unit}"
direction = "H"
fs_hz = {fs_hz}
samples = {samples}
"""


@dataclass(frozen=True, slots=True)
class GatewayFiles:
    """Where a gateway keeps what it keeps."""

    folder: Path
    node: str

    @property
    def outbox(self) -> Path:
        """The folder of its outbox."""
        return self.folder / "outbox" / self.node

    @property
    def journal(self) -> Path:
        """What its source has handed over."""
        return self.folder / f"{self.node}.journal"

    @property
    def end(self) -> Path:
        """Made, it ends the source."""
        return self.folder / f"{self.node}.end"

    @property
    def edge(self) -> str:
        """As in a frame's identity."""
        return f"{SITE}/{self.node}"


def pace_of(rate: float, samples: int, begin_mono_ns: int, begin_ns: int) -> Pace:
    """So many points that each gives five blocks a second."""
    return Pace(rate, max(1, round(rate / BLOCKS_A_SECOND)), samples, begin_mono_ns, begin_ns)


def plant_text(nodes: tuple[str, ...], pace: Pace) -> str:
    """A plant.toml that knows every point of every gateway."""
    text = [f'[site]\nid = "{SITE}"\nname = "Usine d\'essai"\ntimezone = "Africa/Casablanca"\n']
    for node in nodes:
        for number in range(pace.points):
            machine, point = place(number, pace.points, node)
            if number % POINTS_OF_A_MACHINE == 0:
                text.append(_MACHINE.format(machine=machine))
            text.append(
                _POINT.format(
                    point=point, channel=CHANNEL, unit=UNIT, fs_hz=float(pace.fs_hz), samples=pace.samples
                )
            )
    return "".join(text)


def agent_text(
    files: GatewayFiles,
    pace: Pace,
    *,
    health_port: int,
    broker: Mapping[str, object],
    source: Mapping[str, object] | None = None,
    more: Mapping[str, object] | None = None,
) -> str:
    """An agent.toml with a counting source."""
    return toml_text(
        {
            "site": SITE,
            "node": files.node,
            "data": str(files.outbox),
            "health_port": health_port,
            **(more or {}),
            "broker": dict(broker),
            "source": [
                {
                    "type": "counting",
                    "rate": pace.rate,
                    "points": pace.points,
                    "samples": pace.samples,
                    "machine": files.node,
                    "begin_mono_ns": pace.begin_mono_ns,
                    "begin_ns": pace.begin_ns,
                    "journal_file": str(files.journal),
                    "end_file": str(files.end),
                    **(source or {}),
                }
            ],
        }
    )


def drivers(folder: Path) -> dict[str, str]:
    """Install the counting source as a maker's driver is: a package's entry point. The environment for it."""
    package = folder / "drivers" / "palier_counting-1.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: palier-counting\nVersion: 1\n", "utf-8")
    (package / "entry_points.txt").write_text(
        "[palier.sources]\ncounting = tests.support.counting_source:open_source\n", "utf-8"
    )
    return {"PYTHONPATH": f"{package.parent}:{ROOT}", "PYTHONUNBUFFERED": "1"}


OURS: Final[dict[str, str]] = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
"""So that what runs is the code that these tests lie beside."""


AGENT: Final = (sys.executable, "-P", "-m", "edge_agent", "--config")
INGEST: Final = (sys.executable, "-P", "-m", "palier", "ingest", "--config")
