"""Whatever happens to an alarm: no danger is lost unseen, no shelf lasts, and the same again is the same."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ingest.alarm_commands import decide
from ingest.alarm_desk import Desk, DeskEffect
from ingest.alarm_life import CLOCK_SLACK_NS, LONGEST_SHELF_NS
from ingest.alarms import Event, Record, Running, Tick, step
from palier.alarms import Alarm, Level, Life
from palier.operations import Acknowledge, Ask, Command, Outcome, PutBack, Shelve, TakeOut, Unshelve
from tests.support.alarms import BLOCK_NS, KEY, MACHINE, PLANT, SITE, command, velocity

ASKS = st.sampled_from(
    (
        Acknowledge(KEY.id),
        Shelve(KEY.id, "essai", 60),
        Shelve(KEY.id, "essai", 8 * 3600),
        Shelve(KEY.id, "essai"),
        Unshelve(KEY.id),
        TakeOut(KEY.id, "travaux"),
        PutBack(KEY.id),
    )
)
VALUES = st.sampled_from((1.0, 4.2, 4.4, 5.0, 6.6, 8.0, None))


class AnAlarm(RuleBasedStateMachine):
    """One alarm under anything; `danger` is the oracle: a danger that nobody has acknowledged since."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.block = 0
        self.now_ns = 0
        self.danger = False
        self.sent: list[Command] = []
        self.done: list[Event | Command] = []
        self.times: list[int] = []
        self.effects: list[DeskEffect] = []

    @property
    def alarm(self) -> Alarm:
        return self.desk.alarms.get(KEY)

    def take(self, event: Event) -> None:
        self.done.append(event)
        self.times.append(self.now_ns)
        alarms, effects = step(self.desk.alarms, [event])
        self.desk = Desk(alarms, self.desk.baselines, self.desk.intervened, self.desk.answered)
        self.effects += effects

    @rule(value=VALUES, live=st.booleans(), late=st.integers(0, 2))
    def block_comes(self, value: float | None, live: bool, late: int) -> None:
        self.block += 1
        self.now_ns = max(self.now_ns, self.block * BLOCK_NS)
        news = live and not (
            late and self.alarm.heard_ns and self.alarm.heard_ns >= (self.block - late) * BLOCK_NS
        )
        before = self.alarm
        self.take(velocity(self.block - late, value, live=live))
        if value == 8.0 and news and before.standing is not Level.DANGER:
            self.danger = True

    @rule(turning=st.booleans())
    def machine_turns(self, turning: bool) -> None:
        self.take(Running(SITE, MACHINE, turning, self.now_ns))

    @rule(hours=st.integers(-12, 12))
    def time_goes_by(self, hours: int) -> None:
        self.now_ns = max(0, self.now_ns + hours * 3600 * 10**9)
        self.take(Tick(self.now_ns))
        shelf = self.alarm.shelf
        assert shelf is None or 0 < shelf.until_ns - self.now_ns <= LONGEST_SHELF_NS + CLOCK_SLACK_NS

    @rule(ask=ASKS)
    def somebody_asks(self, ask: Ask) -> None:
        sent = command(ask)
        self.done.append(sent)
        self.times.append(self.now_ns)
        decision = decide(self.desk, sent, PLANT, self.now_ns)
        self.desk, self.effects = decision.desk, [*self.effects, *decision.effects]
        self.sent.append(sent)
        if isinstance(ask, Acknowledge) and decision.reply.outcome is Outcome.DONE:
            self.danger = False

    @rule(which=st.integers(0, 100))
    def a_command_comes_again(self, which: int) -> None:
        if self.sent:
            sent = self.sent[which % len(self.sent)]
            decision = decide(self.desk, sent, PLANT, self.now_ns)
            assert (decision.desk, decision.effects) == (self.desk, ())

    @invariant()
    def no_danger_is_lost(self) -> None:
        if self.danger:
            assert self.alarm.latched
            assert self.alarm.life in (Life.UNACKNOWLEDGED, Life.OUT_OF_SERVICE)

    @invariant()
    def it_reads_as_it_was_written(self) -> None:
        assert Alarm.from_json(self.alarm.to_json()) == self.alarm

    @invariant()
    def versions_and_ids_are_never_used_twice(self) -> None:
        ids = self.event_ids(self.effects)
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        """All of it again from the beginning: the same events, the same alarm."""
        desk, effects = Desk(), []
        for what, now_ns in zip(self.done, self.times, strict=True):
            if isinstance(what, Command):
                decision = decide(desk, what, PLANT, now_ns)
                desk, new = decision.desk, decision.effects
            else:
                alarms, new = step(desk.alarms, [what])
                desk = Desk(alarms, desk.baselines, desk.intervened, desk.answered)
            effects += new
        assert desk == self.desk
        assert self.event_ids(effects) == self.event_ids(self.effects)

    @staticmethod
    def event_ids(effects: list[DeskEffect]) -> list[str]:
        return [effect.transition.event_id for effect in effects if isinstance(effect, Record)]


TestAnAlarm = AnAlarm.TestCase
TestAnAlarm.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
