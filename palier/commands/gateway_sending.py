"""Sending a configuration: what is in force is asked of the ingest, and what became of it too."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from palier.options import USAGE, CommandError

from .asking_text import sentence

if TYPE_CHECKING:
    from palier.asking import OperatorSettings
    from palier.gateways import GatewayTold
    from palier.locale import Catalogue
    from palier.operations import Ask, Reply
    from palier.wire.status import GatewayStatus

ASK_S: Final = 1.0  # between two looks for the answer
AGAIN_S: Final = 10.0
"""A message to a gateway may get lost: asked again under its id it is sent again, and done once."""

ANSWER_S: Final = 60.0
"""A Raspberry Pi checks a signature in a second or two, and opens slow sources in twenty."""

TRIAL_S: Final = 3600.0
"""The longest that `--wait` waits; a trial is five minutes where agent.toml says nothing else."""


@dataclass(frozen=True, slots=True)
class SentOutcome:
    """What the gateway says of what was sent."""

    edge: str
    status: GatewayStatus

    @property
    def well(self) -> bool:
        """Whether it took or kept it."""
        return self.status.answer in ("taken", "kept")

    def told(self) -> dict[str, Any]:
        """As JSON tells it."""
        told = asdict(replace(self.status, text=None))
        return {
            "edge": self.edge,
            **{name: told[name] for name in told if "answer" in name or "conf" in name},
        }


@dataclass(frozen=True, slots=True)
class Sending:
    """One configuration on its way. `pause` waits so many seconds."""

    node: str
    text: str
    settings: OperatorSettings
    user: str
    words: Catalogue
    pause: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, node: str, text: str, config: Path | None, user: str | None, words: Catalogue) -> Sending:
        """Checked as far as this computer can. Raises CommandError, ConfigError."""
        from palier.asking import OperatorSettings
        from palier.settings import load_settings
        from palier.strict_toml import parse_toml

        document = parse_toml(text, "FILE")
        if not document.data.get("source"):
            raise CommandError(
                "FILE must have at least one [[source]]: without one the gateway would be silent", USAGE
            )
        settings = load_settings(OperatorSettings, config)
        return cls(node, text, settings, user or settings.user, words)

    @property
    def edge(self) -> str:
        """SITE/NODE."""
        return self.node if "/" in self.node else f"{self.settings.site}/{self.node}"

    def in_force(self) -> GatewayTold:
        """How the gateway is, as it said last. Raises CommandError."""
        from palier.gateways import GatewayTold
        from palier.operations import TellGateway

        reply = self._asked(TellGateway(self.edge), secrets.token_hex(12))
        try:
            return GatewayTold.from_told(reply.present or {})
        except ValueError as error:
            raise CommandError(
                f"the ingest speaks of gateways otherwise: {error}; is it of this version?"
            ) from error

    def send(self, edge: str, version: int, key: Path, why: str, *, wait: bool) -> SentOutcome:
        """Sign, send, and wait for the gateway's word. Raises CommandError."""
        from palier.configuration_keys import SigningError, sign
        from palier.operations import Configure
        from palier.wire.configuration import signed_bytes

        try:
            signature = sign(key, signed_bytes(edge, version, self.text))
        except SigningError as error:
            raise CommandError(str(error), USAGE) from error
        ask, request = Configure(edge, version, self.text, signature.hex(), why), secrets.token_hex(12)
        self._asked(ask, request)
        status = self._answered(ask, request, lambda status: status.answer != "", ANSWER_S)
        if wait and status.answer == "taken":
            status = self._answered(None, request, lambda status: status.answer != "taken", TRIAL_S)
        return SentOutcome(edge, status)

    def _answered(
        self, ask: Ask | None, request: str, enough: Callable[[GatewayStatus], bool], within_s: float
    ) -> GatewayStatus:
        end_s = time.monotonic() + within_s
        again_s = time.monotonic() + AGAIN_S
        while time.monotonic() < end_s:
            status = self.in_force().status
            if status.answer_request == request and enough(status):
                return status
            if ask is not None and time.monotonic() >= again_s and status.answer_request != request:
                again_s += AGAIN_S
                self._asked(ask, request)
            self.pause(ASK_S)
        raise CommandError(self.words.text("cli.gateway_no_answer", node=self.node))

    def _asked(self, ask: Ask, request: str) -> Reply:
        from palier.asking import AskError
        from palier.asking import ask as ask_ingest
        from palier.operations import Command, Outcome
        from palier.wire.payload import DecodeError

        try:
            reply = ask_ingest(self.settings, Command(request, self.user, ask))
        except DecodeError as error:
            raise CommandError(str(error), USAGE) from error
        except AskError as error:
            raise CommandError(str(error)) from error
        if reply.outcome is not Outcome.DONE:
            raise CommandError(sentence(self.words, f"reply.{reply.reason}", reply.params))
        return reply
