"""What happens when the time of day jumps, of a gateway or of the ingest's machine."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.counted import outbox_content
from tests.support.plant_files import OURS
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EDGE = "gw-1"
HOUR_S = 3600
DATED_BY_HOST_NS = 2 * HOUR_S * 10**9
"""A frame of the future is stored under the time of its arrival: as far off as the clock was, and more."""


@pytest.mark.parametrize("hours", [1, -1])
def test_gateways_clock_jumps_for_5_s_by_hours(scenario: Scenario, hours: int) -> None:
    """Blocks are dated by it. Forward they are of the future, back they are a backlog."""
    file = scenario.folder / "step"
    with scenario.plant(source={"dated": "clock"}) as plant:
        agent = plant.agents[EDGE]
        agent.kill()
        agent.command = [
            sys.executable,
            "-P",
            "-m",
            "tests.support.stepped_agent",
            str(file),
            *agent.command[-2:],
        ]
        agent.launch()
        plant.settle()
        with plant.fault():
            file.write_text(str(hours * HOUR_S))
            time.sleep(5)
            file.unlink()
        plant.recovered()
        scenario.judge(plant, unkept=33, redated_ns=DATED_BY_HOST_NS)
        dated_ns = [row.start_ns for row in outbox_content(plant.files[EDGE], plant.pace).rows.values()]
    assert max(dated_ns) - min(dated_ns) > 0.9 * HOUR_S * 1e9, "the clock did not jump"


def test_ingests_clock_jumps_for_5_s_by_an_hour_back(scenario: Scenario) -> None:
    """STATE's times must go on rising, and what comes is no frame of the future for ever."""
    file = scenario.folder / "step"
    code = (
        "import sys; from pathlib import Path; from tests.support.stepped_agent import install; "
        f"install(Path({str(file)!r})); from palier.cli import main; main(sys.argv[1:])"
    )
    with scenario.plant() as plant:
        plant.ingest.kill()
        plant.ingest.command = [sys.executable, "-P", "-c", code, *plant.ingest.command[-3:]]
        plant.ingest.environment = dict(OURS)
        plant.ingest.launch()
        plant.settle()
        with plant.fault():
            file.write_text(str(-HOUR_S))
            time.sleep(2)
            plant.links["ingest"].cut()
            time.sleep(1)
            plant.links["ingest"].heal()
            eventually(lambda: plant.flow.age_s() < 2, 30, "frames again")
            file.unlink()
        plant.recovered()
        scenario.judge(plant, redated_ns=DATED_BY_HOST_NS)
