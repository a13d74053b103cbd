"""Takes configurations from the host: checks, tries, keeps or goes back. A thread of its own.

    sent -> checked -> on the disk, on trial -> sources reopened -> looked at each second -> kept | went back

The disk comes first: a process that ends at any moment finds there what to do next. What is refused changes
nothing. The outbox has no part in it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from palier.strict_toml import ConfigError
from palier.wire.configuration import (
    Configuration,
    read_configuration,
    readable_request,
    signed_bytes,
    text_hash,
)
from palier.wire.payload import DecodeError, Payload
from palier.wire.said import code_of, cut, said
from palier.wire.status import MAX_TEXT, GatewayStatus

from .configured import BROKEN, KEPT, TRIAL, Answer, ConfigurationFile, InForce
from .opening import source_types
from .remote_settings import Local
from .settings import AgentSettings, SourceSettings
from .signatures import Verify, verify_apart
from .source_set import ChangeError
from .trial import Look, Trial, Verdict, started, step

LOOK_S: Final = 1.0
NOTE_S: Final = 15.0
"""How often the rest of a trial goes to the disk: a power cut lengthens the trial by no more than this."""

STOP_S: Final = 30.0
"""A change of sources is finished first: what begins behind a stop would not be recorded."""

NO_KEY: Final = said("no_key")
MAX_SENTENCE: Final = 2000
MAX_WAITING: Final = 4  # a host sends one, and waits for what becomes of it

log = logging.getLogger(__name__)


class Hands(Protocol):
    """What carries out: the agent."""

    def change(self, settings: AgentSettings, *, whatever: bool = False) -> None:
        """Sample by these from now on. As `SourceSet.change`."""
        ...

    def awaited(
        self, now: tuple[SourceSettings, ...], within_s: float
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """As `SourceSet.awaited`."""
        ...

    def look(self, elapsed_s: float) -> Look:
        """What is seen of broker, host and sources now, so many seconds after the last look."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """What an agent starts with. `problem`: why what was sent and kept is not in force."""

    settings: AgentSettings
    in_force: InForce
    problem: str = ""


def at_start(local: Local, file: ConfigurationFile) -> Start:
    """What is in force when the agent starts; a start within a trial counts. Raises ConfigError."""
    in_force = file.read()
    if in_force.trial is not None:
        trial, verdict, why = started(in_force.trial)
        if verdict is Verdict.GO_BACK:
            in_force = went_back(in_force, file.previous(), why)
        else:
            in_force = replace(in_force, trial=trial)
        _note(file, in_force)
    return _readable(local, file, in_force)


def _readable(local: Local, file: ConfigurationFile, in_force: InForce) -> Start:
    """The settings of what is in force; what can't be read goes back, or is not in force meanwhile."""
    if not in_force.version:
        return Start(local.settings(), in_force, file.problem)
    try:
        return Start(local.under(in_force.text, _name(in_force.version)), in_force, file.problem)
    except ConfigError as error:
        return at_fault(local, file, in_force, str(error))


def at_fault(local: Local, file: ConfigurationFile, in_force: InForce, why: str) -> Start:
    """What to start with where the one in force is of no use: on trial it goes back; one that was kept, by
    another version of Palier, gives way to agent.toml as long as it is so.
    """
    if in_force.trial is not None:
        in_force = went_back(in_force, file.previous(), why)
        _note(file, in_force)
        log.error("configuration %s goes back: %s", in_force.answer and in_force.answer.version, why)
        return _readable(local, file, in_force)
    problem = said("configuration_broken", version=in_force.version, why=why)
    log.error("%s", problem)
    return Start(local.settings(), replace(in_force, state=BROKEN), problem)


def _note(file: ConfigurationFile, in_force: InForce) -> None:
    """Write it, where the disk takes it: an agent on a disk that takes nothing still samples. What was not
    written is decided again at the next start, and the same.
    """
    try:
        file.write(in_force)
    except OSError as error:
        log.error("what is in force can't be written: %s", error)


def went_back(tried: InForce, before: InForce, why: str) -> InForce:
    """What is in force after a trial that failed."""
    request = tried.answer.request if tried.answer else ""
    answer = Answer(request, tried.version, "went_back", cut(why, MAX_SENTENCE))
    return replace(before, highest=max(tried.highest, before.highest), trial=None, answer=answer)


def refusal(sent: Configuration, in_force: InForce, edge: str, key_file: Path | None) -> str:
    """Why a configuration is not even looked at, "" where it is: pure."""
    if key_file is None:
        return NO_KEY
    if sent.edge != edge:
        return said("for_another", edge=sent.edge, own=edge)
    if sent.version <= in_force.highest:
        return said("version_old", version=sent.version, highest=in_force.highest)
    if in_force.trial is not None:
        return said("trial_is_on", version=in_force.version, seconds=round(in_force.trial.left_s))
    return ""


class Configurer:
    """`ask` from the link's thread; `start`, `stop`. `in_force` and `problem` are for reading."""

    def __init__(
        self,
        local: Local,
        file: ConfigurationFile,
        begun: Start,
        hands: Hands,
        *,
        verify: Verify = verify_apart,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_force = begun.in_force
        self.answer = begun.in_force.answer  # to what was sent last
        self.settings = begun.settings
        self.problem = begun.problem
        self._local = local
        self._file = file
        self._hands = hands
        self._verify = verify
        self._monotonic_s = monotonic_s
        self._looked_s = monotonic_s()
        self._noted_s = self._looked_s
        self._unwritten = False  # what is in force is not on the disk yet
        self._sent: queue.SimpleQueue[Configuration] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="configuring", daemon=True)

    def start(self) -> None:
        """Begin to wait for configurations, and to look at the trial that is on."""
        self._looked_s = self._monotonic_s()
        self._thread.start()

    def stop(self) -> None:
        """End the thread. A trial goes on at the next start."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)

    def hear(self, payload: Payload) -> None:
        """Something came from the host: take the configuration in it, if there is one. DecodeError where it
        can't be one; that is told, too.
        """
        try:
            sent = read_configuration(payload)
        except DecodeError as error:
            if (named := readable_request(payload)) is not None:
                self._answered(*named, str(error))
            raise
        if sent is not None and self._sent.qsize() < MAX_WAITING:
            self._sent.put(sent)

    def tell(self, status: GatewayStatus) -> GatewayStatus:
        """The status with what is known of the configuration."""
        now = self.in_force
        if (answer := self.answer) is not None:
            status = replace(
                status,
                answer_request=answer.request,
                answer_version=answer.version,
                answer=answer.outcome,
                answer_sentence=answer.sentence,
                answer_code=code_of(answer.sentence) or None,
            )
        local = not now.version or now.state == BROKEN
        return replace(
            status,
            origin="agent.toml" if local else "remote",
            state=now.state,
            configuration_version=now.version,
            configuration_highest=now.highest,
            configuration_hash=text_hash(self._local.sent_text) if local else now.hash,
            text=self._local.sent_text if local else now.text,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it; a sentence each."""
        now = self.in_force
        if now.trial is not None:
            return (said("on_trial", version=now.version, seconds=round(now.trial.left_s)),)
        if now.answer is not None and now.answer.outcome == "went_back":
            went = said("went_back", version=now.answer.version, why=now.answer.sentence)
            return (cut(went, MAX_TEXT),)
        return ()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S if self._sent.empty() else 0.0):
            try:
                self.turn()
            except Exception:  # what comes from outside must not end the thread
                log.exception("unexpected error while configuring")

    def turn(self) -> None:
        """Take what came, and look at the trial: once."""
        if not self._sent.empty():
            self._take(self._sent.get_nowait())
        self._look()

    # --- what comes ----------------------------------------------------------------------------------------

    def _take(self, sent: Configuration) -> None:
        known = self.answer
        if known is not None and (known.request, known.version) == (sent.request, sent.version):
            return  # it came twice; the answer is told all the time
        try:
            settings = self._checked(sent)
            self._try(sent, settings)
        except ChangeError as error:
            self._answered(sent.request, sent.version, str(error))

    def _checked(self, sent: Configuration) -> AgentSettings:
        """The settings that it leads to. Raises ChangeError with the sentence why not."""
        if why := refusal(sent, self.in_force, self.settings.edge, self.settings.configuration.key_file):
            raise ChangeError(why)
        key_file = self.settings.configuration.key_file
        assert key_file is not None  # noqa: S101 - refused above
        if why := self._verify(key_file, signed_bytes(sent.edge, sent.version, sent.text), sent.signature):
            raise ChangeError(why)
        try:
            settings = self._local.under(sent.text, _name(sent.version))
        except ConfigError as error:
            raise ChangeError(str(error)) from error
        known = source_types()
        for source in settings.sources:
            if source.type not in known:
                types = ", ".join(sorted(known))
                raise ChangeError(said("type_unknown", known=types, got=repr(source.type)))
        return settings

    def _try(self, sent: Configuration, settings: AgentSettings) -> None:
        """On the disk, then in force. Raises ChangeError: nothing is changed."""
        before, trial_s = self.in_force, self.settings.configuration.trial_s
        awaited, working = self._hands.awaited(settings.sources, trial_s)
        new = InForce(
            version=sent.version,
            text=sent.text,
            highest=sent.version,
            state=TRIAL,
            trial=Trial(trial_s, 0, awaited, working, worked=self._hands.look(0.0).works),
            answer=Answer(sent.request, sent.version, "taken"),
        )
        try:
            self._file.begin(new, before)
        except OSError as error:
            raise ChangeError(said("disk_refuses_this", why=str(error.strerror))) from error
        log.info("configuration %d (%s) of the host is on trial for %g s", sent.version, new.hash, trial_s)
        self._file.before_step("change the sources")
        try:
            self._hands.change(settings)
        except Exception as error:  # the disk says that it is on trial: that must not stand
            answer = Answer(sent.request, sent.version, "refused", cut(str(error), MAX_SENTENCE))
            self._settle(replace(before, highest=sent.version, answer=answer))
            half_done = not isinstance(error, ChangeError)
            log.error("configuration %d of the host is refused: %s", sent.version, error, exc_info=half_done)
            if half_done:
                self._hands.change(self.settings, whatever=True)
            return
        self._file.before_step("the sources are changed")
        self.in_force, self.settings, self.problem, self.answer = new, settings, "", new.answer
        self._looked_s = self._noted_s = self._monotonic_s()

    def _answered(self, request: str, version: int, why: str) -> None:
        """Told, and not written: what anybody can send must not wear the card. A trial goes on."""
        log.error("configuration %d of the host is refused: %s", version, why)
        self.answer = Answer(request, version, "refused", cut(why, MAX_SENTENCE))

    # --- the trial -----------------------------------------------------------------------------------------

    def _look(self) -> None:
        now_s = self._monotonic_s()
        elapsed_s, self._looked_s = max(0.0, now_s - self._looked_s), now_s
        if self._unwritten:
            self._settle(self.in_force)
        if self.in_force.trial is None:
            return
        trial, verdict, why = step(self.in_force.trial, self._hands.look(elapsed_s))
        told = trial.awaited != self.in_force.trial.awaited
        self.in_force = replace(self.in_force, trial=trial)
        match verdict:
            case Verdict.KEEP:
                self._keep()
            case Verdict.GO_BACK:
                self._go_back(why)
            case Verdict.GO_ON if told or now_s - self._noted_s >= NOTE_S:
                self._noted_s = now_s
                self._settle(self.in_force)

    def _keep(self) -> None:
        now = self.in_force
        request = now.answer.request if now.answer else ""
        log.info("configuration %d of the host stays: its trial is over", now.version)
        self._file.before_step("keep")
        self._settle(replace(now, state=KEPT, trial=None, answer=Answer(request, now.version, "kept")))

    def _go_back(self, why: str) -> None:
        log.error("configuration %d of the host goes back: %s", self.in_force.version, why)
        back = went_back(self.in_force, self._file.previous(), why)
        self._file.before_step("go back")
        self._settle(back)
        start = _readable(self._local, self._file, back)
        self.settings, self.problem = start.settings, start.problem
        self._file.before_step("change the sources back")
        self._hands.change(start.settings, whatever=True)

    def _settle(self, in_force: InForce) -> None:
        """In force, and on the disk as soon as that takes it."""
        if in_force.answer != self.in_force.answer:
            self.answer = in_force.answer
        self.in_force = in_force
        try:
            self._file.write(in_force)
            self._unwritten = False
        except OSError as error:
            if not self._unwritten:
                log.error("what is in force can't be written: %s; it is tried again", error)
            self._unwritten = True


def forget(file: ConfigurationFile) -> InForce:
    """Go back to agent.toml for good, and take no old version again. Raises OSError."""
    before = file.read()
    now = InForce(highest=before.highest, answer=Answer("", before.version, "forgotten"))
    file.begin(now, now)  # nor does it come back where the card damages the one
    return before


def _name(version: int) -> str:
    return f"configuration {version}"
