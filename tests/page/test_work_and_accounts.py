"""Work orders, work on machines, gateways and ledger: what the sheets say, from values and over records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashboards.console.accounts import Accounts, gateways_of
from dashboards.console.order import TRADES, work_order
from dashboards.console.work import Work
from models.advice import advise, over_drive
from models.diagnosis import Diagnosis, EvidenceItem, Fault
from palier.alarms import Cause, Level, Mode
from palier.gateway_text import facts
from palier.gateways import GatewayTold
from palier.historian.rows import InterventionRow
from palier.ledger import LedgerLine
from palier.limits import load_limits
from palier.locale import Catalogue
from palier.operations import Baseline, BaselineStatus
from palier.plant import load_sample_plant
from tests.page.conftest import make_app
from tests.support.alarm_seeding import alarm, seeded_accounts, seeded_alarms, write_alarms
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, seeded_plant
from tests.support.wire_examples import STATUS

PLANT = load_sample_plant()
PUMP = PLANT.machine("P-101")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("accounts")
    _, path = seeded_plant(folder)
    seeded_alarms(folder)
    seeded_accounts(folder / "records.sqlite")
    with page_client(make_app(path)) as client:
        yield client


def outer_ring() -> Diagnosis:
    line = EvidenceItem("comb", 1.0, 0.9, params={"value": 4.0}, point="2")
    return Diagnosis(Fault.OUTER_RING, 0.82, 3, "2", (line,))


def test_an_order_says_what_by_when_with_what_and_when_it_is_good() -> None:
    assert PUMP is not None
    diagnosis = outer_ring()
    one = alarm("P-101", "2")
    point = PUMP.point("2")
    order = work_order(
        PUMP,
        point,
        alarm=one,
        found=[(diagnosis, advise(diagnosis, PUMP))],
        limits=load_limits()[point.limits or ""] if point else None,
        timezone="UTC",
        now_ns=NOW_NS,
    )
    assert (order.task, order.trade, order.relearn) == ("bearing", "bearing", True)
    assert order.bearing is not None
    assert order.bearing.grease_g == pytest.approx(0.005 * 180 * 46)
    assert order.limit_mm_s == 4.2
    assert order.safety == ("lockout", "pump", "belt", "area")
    assert order.retension  # a new bearing moves the shaft that the belt pulls on
    assert order.number == "OT-P-101-20261118-1006"


def test_an_order_without_a_diagnosis_asks_for_one() -> None:
    assert PUMP is not None
    order = work_order(PUMP, None, alarm=None, found=(), limits=None, timezone="UTC", now_ns=NOW_NS)
    assert (order.task, order.trade, order.limit_mm_s, order.bearing) == (
        "unidentified",
        "general",
        None,
        None,
    )


@pytest.mark.parametrize(("machine", "trade"), [("P-101", "belt"), ("V-301", "alignment")])
def test_what_is_aligned_is_what_drives_the_machine(machine: str, trade: str) -> None:
    spec = PLANT.machine(machine)
    assert spec is not None
    asked = ("phase_across_coupling", "slow_roll")
    diagnosis = Diagnosis(Fault.MISALIGNMENT, 0.7, 3, "1", separate_by=over_drive(asked, spec))
    found = [(diagnosis, advise(diagnosis, spec))]
    order = work_order(
        spec, spec.points[0], alarm=None, found=found, limits=None, timezone="UTC", now_ns=NOW_NS
    )
    words = Catalogue("fr")
    told = " ".join(
        [words.text(f"task.{order.task}"), *(words.text(f"confirm.{key}") for key in diagnosis.separate_by)]
        + [words.text(f"order.{what}_{order.trade}") for what in ("accept", "parts")]
    )
    assert order.trade == trade
    assert ("poulies" in told, "accouplement" in told) == (trade == "belt", trade == "alignment")
    assert not order.retension


def test_every_trade_and_task_has_its_words() -> None:
    words = Catalogue("fr")
    trades = {*TRADES.values(), "general"}
    wanted = {f"order.{what}_{trade}" for trade in trades for what in ("accept", "parts", "tools")}
    assert not wanted - words.keys()
    assert not TRADES.keys() - words.table("task").keys()


def test_the_sheet_of_an_alarm_carries_plots_safety_and_parts(page: httpx.Client) -> None:
    html = page.get("/alarm/P-101/2/vibration/order").text
    for text in ("OT-P-101-", "Consignation", "22220", "41\u00a0g", "4,20\u00a0mm/s", "Clôture", "criticité"):
        assert text.lower() in html.lower(), text
    assert html.count("<svg xmlns") + html.count("<svg role") >= 2
    assert page.get("/machine/B-501/order").status_code == 200  # no limits, no alarm
    assert page.get("/machine/NOPE/order").status_code == 404


def test_a_baseline_is_learned_anew_only_after_work() -> None:
    learned = Baseline("P-101", status=BaselineStatus.LEARNED, opened_ns=100)
    row = InterventionRow("c", "s", "P-101", "", "greasing", 99, 99, "u", "")
    assert not Work((row,), learned).may_relearn
    assert Work((replace(row, at_ns=100),), learned).may_relearn
    assert Work((), learned).may_confirm
    assert not Work((), replace(learned, status=BaselineStatus.CONFIRMED)).may_confirm
    assert not Work().may_relearn


def test_work_is_read_back_from_the_records(page: httpx.Client) -> None:
    html = page.get("/machine/P-101/work").text
    for text in ("graissage", "30 g", "apprise, à confirmer", "100\u00a0%"):
        assert text in html


def line(edge: str, adds_up: bool | None, **more: Any) -> LedgerLine:
    given = LedgerLine(edge, "e", 5, 5, 5, 0, 0, 0, adds_up, 0, 0)
    return replace(given, **more)


def test_a_gateway_is_as_good_as_the_worst_of_its_outboxes() -> None:
    lines = (line("s/a", True), line("s/b", True), line("s/b", False), line("s/c", None, unknown_since_ns=7))
    found = gateways_of(Accounts(lines, never=(("s/d", "e"),)), "s")
    assert [(gateway.node, gateway.adds_up) for gateway in found] == [
        ("b", False),
        ("c", None),
        ("d", None),
        ("a", True),
    ]
    assert [gateway.silent_since_ns for gateway in found] == [None, 7, None, None]


def test_an_outbox_that_was_replaced_says_nothing_of_today_but_what_was_lost() -> None:
    young = replace(line("s/a", True), dropped_for={"cap": 4}, reported_ns=9)
    old = replace(line("s/a", False, lost=3), replaced=True, dropped_for={"cap": 1, "disk": 2}, reported_ns=5)
    (gateway,) = gateways_of(Accounts((young, old)), "s")
    assert (gateway.adds_up, gateway.lost, gateway.reported_ns) == (True, 3, 9)
    assert gateway.reasons == {"cap": 5, "disk": 2}


def test_the_host_has_a_card_of_its_own_where_something_is_the_matter(tmp_path: Path) -> None:
    _, path = seeded_plant(tmp_path, blocks=5)
    days = Cause("disk_days", 6, level=Level.ALERT)
    disk = replace(alarm("palier", "", Mode.DISK), causes=(days,), action="action.disk")
    write_alarms(tmp_path / "records.sqlite", [disk])
    with page_client(make_app(path)) as client:
        html = client.get("/gateways?lang=fr").text
    assert "Serveur d&#39;ingestion" in html
    assert "au rythme actuel\u00a0: 6" in html


def test_the_ledger_tells_what_is_missing_and_who_is_silent(page: httpx.Client) -> None:
    html = page.get("/ledger").text
    for text in ("le compte y est", "manquants\u00a0: 2", "inconnu\u00a0: muette", "valeurs non numériques"):
        assert text in html
    gateways = page.get("/gateways").text
    for text in ("gw-1", "nouvelle file", "n&#39;y est pas"):
        assert text in gateways


def test_the_settings_are_shown_without_secrets(tmp_path: Path) -> None:
    from dashboards.console.command import build
    from dashboards.console.settings import ConsoleSettings
    from palier.plant import sample_plant_path
    from palier.settings import BrokerSettings

    settings = ConsoleSettings(
        plant=sample_plant_path(),
        data=tmp_path,
        broker=BrokerSettings(username="console", password="geheim"),  # type: ignore[arg-type]
    )
    with page_client(build(settings)) as client:
        html = client.get("/settings").text
    assert "geheim" not in html
    for text in ("username = &#34;console&#34;", "iso10816-7:cat2:over200kw", "à vérifier dans la norme"):
        assert text in html


@pytest.mark.parametrize("mode", [Mode.GATEWAY, Mode.CLOCK, Mode.QUARANTINE])
def test_a_gateway_without_a_ledger_is_not_taken_for_the_host(tmp_path: Path, mode: Mode) -> None:
    _, path = seeded_plant(tmp_path, blocks=5)
    told = replace(alarm("esp32-7", "", mode), causes=(Cause(str(mode), level=Level.ALERT),))
    write_alarms(tmp_path / "records.sqlite", [told])
    with page_client(make_app(path)) as client:
        html = client.get("/gateways?lang=fr").text
    assert "<bdi>esp32-7</bdi>" in html
    assert "Serveur d&#39;ingestion" not in html


def test_a_gateway_says_how_it_is_and_one_that_only_spoke_is_there_too() -> None:
    told = GatewayTold("s/new", 5, STATUS)
    found = gateways_of(Accounts((line("s/a", True),), told=(told,)), "s")
    assert {gateway.node: gateway.told for gateway in found} == {"a": None, "new": told}
    words = dict(facts(told.status, Catalogue("fr")))
    assert words["clock"] == "à l'heure"
    assert words["configuration"] == "version 7 à l'essai (0123456789abcdef)"
