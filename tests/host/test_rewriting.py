"""What the start writes into the series once more, and the desk that it finds in the records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ingest.alarm_desk import Desk
from ingest.alarm_records import batch_of
from ingest.alarms import step
from ingest.stores import EVENTS_REWRITTEN_NS, OpenStores, open_stores
from palier.alarms import Life
from palier.historian.rows import AlarmRow, RecordsBatch
from palier.operations import Acknowledge, Intervene, InterventionKind
from tests.support.alarms import BLOCK_NS, KEY, MACHINE, SITE, alarm_of, ask, velocity

BUDGET = 64 * 1024 * 1024
MONTH_NS = EVENTS_REWRITTEN_NS


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[OpenStores]:
    with open_stores(tmp_path / "data", BUDGET) as opened:
        yield opened


def lived(stores: OpenStores) -> Desk:
    """An alert in block 1, acknowledged in block 2; durable, and nothing of it in the series."""
    alarms, raised = step(Desk().alarms, [velocity(1, 5.0)])
    decision = ask(Desk(alarms), Acknowledge(KEY.id), 2 * BLOCK_NS)
    for effects in (raised, decision.effects):
        stores.records.commit(batch_of(effects))
    return decision.desk


def written(stores: OpenStores) -> list[str]:
    table = stores.historian.read("event", ("state",), site=SITE)
    return [str(state) for state in table.columns["state"]]


def test_the_desk_is_found_as_it_was(stores: OpenStores) -> None:
    before = lived(stores)
    assert stores.desk() == before
    assert alarm_of(stores.desk()).life is Life.ACKNOWLEDGED


def test_an_alarm_that_cannot_be_read_is_told_and_left(stores: OpenStores) -> None:
    stores.records.commit(RecordsBatch(alarms=(AlarmRow(SITE, "x/vibration", "{}"),)))
    with capture_logs() as logs:
        assert stores.desk() == Desk()
    assert logs[0]["alarms"] == [f"{SITE}/x/vibration"]


def test_all_of_the_last_month_is_written_again_and_only_once(stores: OpenStores) -> None:
    lived(stores)
    for _ in range(2):
        stores.rewrite_events(MONTH_NS)
        assert written(stores) == ["unacknowledged", "acknowledged"]


def test_of_what_is_older_the_last_word_on_an_open_alarm(stores: OpenStores) -> None:
    lived(stores)
    stores.rewrite_events(MONTH_NS + 10 * BLOCK_NS)
    assert written(stores) == ["acknowledged"]


def test_work_of_an_older_time_too_for_it_may_have_been_told_late(stores: OpenStores) -> None:
    decision = ask(Desk(), Intervene(MACHINE, InterventionKind.GREASING, at_ns=1), 10**9)
    stores.records.commit(batch_of(decision.effects))
    stores.rewrite_events(MONTH_NS + 10 * BLOCK_NS)
    assert written(stores) == ["greasing"]
