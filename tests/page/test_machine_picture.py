"""What is put together of a machine's points: reasons, diagnoses, the life to plan by, and the synoptic."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dashboards.console.appearance import look_of
from dashboards.console.machine import MachineView
from dashboards.console.machine_desk import MOST_MACHINES, MachineDesk
from dashboards.console.machine_judgement import Found, Life, MachineJudgement, PointJudgement
from dashboards.console.machine_picture import leading_life, picture
from dashboards.console.machine_synoptic import DRAWN, FIRST_X, LAST_X, MOST_LABEL, PLATE, drawing_of, spots
from dashboards.console.machine_words import MachineWords
from dashboards.console.overview import PointMark, Tile
from dashboards.console.series import ChannelRef
from dashboards.console.snapshot import MachineData, StateRow
from dashboards.console.words import Words
from models.advice import advise
from models.diagnosis.types import Diagnosis, Fault
from models.types import MachineSpec, Refusal, State
from palier.limits import load_limits
from palier.plant import load_sample_plant

FRENCH = MachineWords(Words("fr"))
MACHINE = MachineSpec("P-101", ())


def view(**states: State) -> MachineView:
    marks = tuple(PointMark(name[1:], name[1:], look_of(state), since_ns=1) for name, state in states.items())
    limits = "iso10816-7:cat2:over200kw"
    rows = {
        m.id: StateRow(1, m.id, str(m.look.state), None, False, "A", 2.0, limits, None, None, True)
        for m in marks
    }
    channel = ChannelRef(marks[0].id, "H")
    tile = Tile("P-101", "Pompe", "pump", "A", marks[0].look, points=marks)
    return MachineView(
        tile, MACHINE, MachineData(states=rows), (channel,), channel, None, None, "velocity_rms_mm_s", None
    )


def found(ts_ns: int, *named: tuple[Fault, float, str]) -> Found:
    diagnoses = [Diagnosis(fault, sure, 3, point=point) for fault, sure, point in named]
    return Found(ts_ns, tuple((one, advise(one, MACHINE)) for one in diagnoses))


def of_points(**points: PointJudgement) -> MachineJudgement:
    return MachineJudgement({name[1:]: one for name, one in points.items()})


def test_points_that_lead_speak_and_else_the_one_that_is_looked_at() -> None:
    limits = load_limits()
    both = picture(view(p1=State.NORMAL, p2=State.ALERT), of_points(), limits, FRENCH)
    assert [reason.mark.id for reason in both.reasons] == ["2"]
    calm = picture(view(p1=State.NORMAL, p2=State.NORMAL), of_points(), limits, FRENCH)
    assert [reason.mark.id for reason in calm.reasons] == ["1"]


def test_the_newest_examination_of_a_fault_counts_and_three_are_told() -> None:
    judged = of_points(
        p1=PointJudgement(found=found(1, (Fault.OUTER_RING, 0.9, "1"), (Fault.CAGE, 0.4, "1"))),
        p2=PointJudgement(
            found=found(2, (Fault.OUTER_RING, 0.7, "1"), (Fault.UNBALANCE, 0.8, ""), (Fault.BELT, 0.3, ""))
        ),
    )
    told = picture(view(p1=State.ALERT, p2=State.WATCH), judged, {}, FRENCH)
    assert told.diagnosis == "named"
    assert [(card.name, card.confidence) for card in told.faults] == [
        ("balourd", "80"), ("bague externe du roulement", "70"), ("cage de roulement", "40"),
    ]  # fmt: skip
    assert told.examined_ns == 2


@pytest.mark.parametrize(
    ("state", "one", "status"),
    [
        (State.NORMAL, PointJudgement(found=found(1, (Fault.BELT, 0.9, ""))), "quiet"),
        (State.ALERT, PointJudgement(), "waits"),
        (State.ALERT, PointJudgement(found=Found(1)), "none"),
        (State.STOPPED, PointJudgement(found=found(1, (Fault.BELT, 0.9, ""))), "named"),
        (State.WATCH, PointJudgement(found=Found(1, refusal=Refusal("no_data", "check_gateway"))), "refused"),
    ],
)
def test_how_examinations_ended(state: State, one: PointJudgement, status: str) -> None:
    told = picture(view(p1=state), of_points(p1=one), {}, FRENCH)
    assert told.diagnosis == status
    assert bool(told.refusal) == (status == "refused")


def test_the_shortest_life_is_the_one_to_plan_by_and_a_refusal_where_there_is_none() -> None:
    refused = Life(1, "refused", refusal=Refusal("poor_fit", "wait_for_points"))
    long, short = (Life(1, "mixture", h, 2 * h, 4 * h) for h in (300.0, 100.0))
    seen = view(p1=State.ALERT, p2=State.ALERT, p3=State.ALERT)
    judged = of_points(
        p1=PointJudgement(life=refused), p2=PointJudgement(life=long), p3=PointJudgement(life=short)
    )
    assert leading_life(seen, judged) == ("3", short)
    assert leading_life(seen, of_points(p1=PointJudgement(life=refused))) == ("1", refused)
    assert leading_life(view(p1=State.NORMAL), of_points(p1=PointJudgement(life=short))) is None


def test_a_deadline_is_the_lesser_of_the_rules_and_of_the_life_of_the_point() -> None:
    worn, seen = found(1, (Fault.OUTER_RING, 0.9, "1")), view(p1=State.ALERT)

    def within(p10_h: float) -> str:
        life = Life(1, "mixture", p10_h, 2 * p10_h, 4 * p10_h)
        (card,) = picture(seen, of_points(p1=PointJudgement(found=worn, life=life)), {}, FRENCH).faults
        return card.deadline

    assert [within(h) for h in (3.7, 0.0, 900.0)] == ["3\u00a0h", "maintenant", "4 semaines"]


def test_the_leading_fault_of_a_point_in_danger_is_as_severe_as_its_state() -> None:
    seen = view(p1=State.DANGER, p2=State.ALERT)
    rows = {name: replace(row, severity=5 if name == "1" else 3) for name, row in seen.data.states.items()}
    judged = of_points(
        p1=PointJudgement(found=found(1, (Fault.OUTER_RING, 0.9, "1"), (Fault.CAGE, 0.4, ""))),
        p2=PointJudgement(found=found(1, (Fault.UNBALANCE, 0.8, "2"))),
    )
    told = picture(replace(seen, data=MachineData(states=rows)), judged, {}, FRENCH).faults
    assert [card.severity for card in told] == [5, 3, 3]
    assert (told[0].deadline, told[0].tone) == ("maintenant", "danger")
    assert told[0].raised.startswith("Gravité portée à 5 sur 5 par l'état du point")
    assert told[0].advice != FRENCH.card(*judged.advised("1")[0]).advice
    assert [card.raised for card in told[1:]] == ["", ""]


def test_nothing_left_is_said_as_now() -> None:
    card = FRENCH.life("1", Life(1, "threshold_crossed", 0.0, 0.0, 0.0, "high"))
    assert card is not None
    assert card.over


@pytest.mark.parametrize("n", [0, 1, 2, 3, 12])
@pytest.mark.parametrize("kind", [*DRAWN, "martian"])
def test_points_stand_on_the_drawing_in_their_order(kind: str, n: int) -> None:
    marks = [PointMark(f"{'X' * 60}{k}", "name", look_of(State.NORMAL)) for k in range(n)]
    refs = [ChannelRef(mark.id, channel) for mark in marks for channel in "HV"]
    placed = spots(kind, marks, refs, refs[0] if refs else None)
    places = [spot.x for spot in placed]
    assert places == sorted(places, reverse=kind == "spindle" and n == 2)
    assert all(FIRST_X <= x <= LAST_X for x in places)
    assert len(set(places)) == n
    assert all(len(spot.label) <= MOST_LABEL for spot in placed)
    assert [spot.channel.channel for spot in placed if spot.channel] == ["H"] * n
    assert sum(spot.selected for spot in placed) == min(n, 1)
    assert drawing_of(kind, None).kind in {*DRAWN, "machine"}


def test_a_point_without_a_channel_leads_nowhere() -> None:
    mark = PointMark("1", "name", look_of(State.NORMAL))
    (spot,) = spots("pump", [mark], [], None)
    assert spot.channel is None


def place_of(machine: str, spec: MachineSpec | None = None) -> list[int]:
    spec = spec or load_sample_plant().machine(machine)
    assert spec is not None
    marks = [PointMark(point.id, point.name, look_of(State.NORMAL)) for point in spec.points]
    return [spot.x for spot in spots(spec.kind, marks, [], None, spec)]


def test_the_sample_machines_are_drawn_as_they_are_driven() -> None:
    plant = load_sample_plant()
    drawn = {spec.id: drawing_of(spec.kind, spec) for spec in plant.machines}
    assert [one.id for one in plant.machines if drawn[one.id].belt] == ["P-101"]
    assert [one.id for one in plant.machines if drawn[one.id].stages == 2] == ["C-201", "L-401"]


def test_points_stand_on_the_shaft_that_the_plant_gives_them() -> None:
    motor, entry, output = place_of("C-201")
    assert motor < 176 < entry < 300 < output < 446  # motor, first and last shaft of the gearbox
    assert place_of("L-401") == [288, 336]  # input and intermediate shaft


def test_a_point_on_the_motor_of_a_belt_drive_stands_on_the_motor() -> None:
    pump = load_sample_plant().machine("P-101")
    assert pump is not None
    assert pump.motor is not None
    on_motor = replace(pump.points[0], id="M", shaft_order=pump.motor.shaft_order)
    places = place_of("P-101", replace(pump, points=(on_motor, *pump.points)))
    assert places[0] < 133
    assert places[1:] == place_of("P-101")


def test_plates_never_cover_each_other_where_there_is_room() -> None:
    mill = load_sample_plant().machine("L-401")
    assert mill is not None
    marks = [PointMark(point.id, "", look_of(State.NORMAL)) for point in mill.points]
    first, second = spots(mill.kind, marks, [], None, mill)
    assert second.plate_x - first.plate_x >= PLATE


def test_the_machine_that_is_looked_at_stays_when_many_others_are_asked_for() -> None:
    desk, read = MachineDesk(), list[str]()

    async def ask(machine: str) -> None:
        async def now() -> MachineJudgement:
            read.append(machine)
            return MachineJudgement({})

        await desk.judgement(machine, 1, now)

    async def look() -> None:
        for k in range(2 * MOST_MACHINES):
            await ask("looked at")
            await ask(f"M-{k}")

    asyncio.run(look())
    desk.close()
    assert read.count("looked at") == 1
