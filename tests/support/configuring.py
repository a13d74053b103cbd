"""A gateway that is configured from afar, without threads or a broker: keys, signed texts, fake hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.configured import ConfigurationFile
from edge_agent.configuring import Configurer, Start, at_start
from edge_agent.remote_settings import Local, read_local
from edge_agent.settings import AgentSettings, SourceSettings
from edge_agent.source_set import ChangeError
from edge_agent.trial import Look
from palier.configuration_keys import new_private_key, public_of, sign, why_not_signed
from palier.wire.configuration import Configuration, configuration_payload, signed_bytes
from palier.wire.payload import Payload, decode

EDGE = "usine/gw-1"
LOCAL = '[[source]]\ntype = "simulated"\nplant_file = "plant.toml"\n'
SENT = '[[source]]\ntype = "replay"\nfile = "rec.npz"\nunit = "g"\n'


def write_keys(folder: Path, name: str = "configuration") -> Path:
    """A key pair as `palier provision` makes it; the private one."""
    private = folder / f"{name}.key"
    private.write_bytes(new_private_key())
    private.chmod(0o600)
    (folder / f"{name}.pub").write_bytes(public_of(private.read_bytes(), "key"))
    return private


def write_local(
    folder: Path, sources: str = LOCAL, configuration: str = 'key_file = "configuration.pub"'
) -> Local:
    """An agent.toml, read."""
    file = folder / "agent.toml"
    file.write_text(
        f'site = "usine"\nnode = "gw-1"\ndata = "data"\n[broker]\npassword_file = "password"\n'
        f"[configuration]\n{configuration}\n{sources}",
        "utf-8",
    )
    (folder / "data").mkdir(exist_ok=True)
    return read_local(file)


def signed(key: Path, version: int, text: str = SENT, edge: str = EDGE, request: str = "") -> Configuration:
    """A configuration as an engineer sends it."""
    signature = sign(key, signed_bytes(edge, version, text))
    return Configuration(edge, version, text, signature, request or f"request-{version}")


def arrived(sent: Configuration) -> Payload:
    """As it comes from the broker."""
    return decode(configuration_payload(sent, 1))


@dataclass
class FakeHands:
    """Sources that only have names. `refuses` is why the next change can't be."""

    sources: tuple[SourceSettings, ...] = ()
    linked: bool = True
    gave: frozenset[str] = frozenset()
    failing: Mapping[str, str] = field(default_factory=dict)
    works: bool = True
    refuses: str = ""
    working: tuple[str, ...] = ()
    changes: int = 0

    def look(self, elapsed_s: float) -> Look:
        return Look(elapsed_s, self.linked, self.gave, self.failing, self.works)

    def change(self, settings: AgentSettings, *, whatever: bool = False) -> None:
        self.changes += 1
        if self.refuses and not whatever:
            why, self.refuses = self.refuses, ""
            raise ChangeError(why)
        self.sources, self.gave = settings.sources, frozenset()

    def awaited(
        self, now: tuple[SourceSettings, ...], within_s: float
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.working, self.working


class Gateway:
    """A configurer and what it runs by; `again` is a start of the process after a kill."""

    @classmethod
    def over(cls, folder: Path) -> Gateway:
        """One that another process left."""
        return cls(folder, fresh=False)

    def __init__(self, folder: Path, *, fresh: bool = True, **local: str) -> None:
        self.folder = folder
        self.key = write_keys(folder) if fresh else folder / "configuration.key"
        self.local = write_local(folder, **local)
        self.now_s = 0.0
        self.hands = FakeHands()
        self.again()

    def again(self) -> Start:
        """The process starts."""
        self.file = ConfigurationFile(self.folder / "data")
        begun = at_start(self.local, self.file)
        self.hands = replace(self.hands, sources=begun.settings.sources, gave=frozenset())
        self.configurer = Configurer(
            self.local, self.file, begun, self.hands, verify=why_not_signed, monotonic_s=lambda: self.now_s
        )
        return begun

    def send(self, sent: Configuration) -> str:
        """What the gateway answers."""
        self.configurer.hear(arrived(sent))
        self.configurer.turn()
        return self.answer

    def passes(self, seconds: float) -> str:
        """So much time, a look each five seconds; what the gateway says then."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + 5.0)
            self.configurer.turn()
        return self.answer

    @property
    def answer(self) -> str:
        answer = self.configurer.answer
        return "" if answer is None else answer.outcome

    @property
    def why(self) -> str:
        answer = self.configurer.answer
        return "" if answer is None else answer.sentence

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(source.type for source in self.hands.sources)
