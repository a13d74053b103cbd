"""Who may do what on a page with accounts: three roles, each of which may all that the one before may.

A viewer reads. A technician acts on alarms and records work. An engineer also changes what is judged.
What is not named here is for nobody, so that a new address or a new command is not open by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send


class Role(StrEnum):
    """What an account may, the least first."""

    VIEWER = "viewer"
    TECHNICIAN = "technician"
    ENGINEER = "engineer"

    def may(self, needed: Role) -> bool:
        """Whether this role is enough where `needed` is asked for."""
        order = tuple(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in: the account's name, its role, and the secret of the session, which only tokens of
    forms are made of."""

    name: str
    role: Role
    session: str

    def __repr__(self) -> str:
        return f"Person({self.name!r}, {self.role})"  # a session is as good as a password


PERSON: Final = "palier.person"
"""Where a request's scope holds its Person; only a page with accounts has one."""

TECHNICIANS_VERBS: Final = frozenset(
    {"acknowledge", "shelve", "unshelve", "intervention", "verdict", "replay"}
)
"""Commands that change no judgement: what people saw and did, and waveforms that a gateway kept back. All
others are an engineer's. That a period is stored `again` no form can say."""

OPEN: Final = frozenset({"/login", "/healthz", "/static"})
"""Routes without a login: the way in, the sign of life, and files that everybody has who has Palier."""

HERE: Final = frozenset({"/readyz", "/metrics"})
"""Routes that this machine itself may read too: its supervisor and its Prometheus have no account."""

NEEDED: Final[Mapping[tuple[str, str], Role]] = MappingProxyType(
    {
        # An order is issued: its number goes into the maintenance software.
        ("GET", "/machine/{machine}/order"): Role.TECHNICIAN,
        ("GET", "/alarm/{alarm:path}/order"): Role.TECHNICIAN,
        ("POST", "/act"): Role.TECHNICIAN,
        ("POST", "/logout"): Role.VIEWER,
        ("POST", "/account"): Role.VIEWER,
    }
)
"""What a route needs where it is more than reading."""


def person_of(scope: Scope) -> Person | None:
    """Who is logged in, None on a page without accounts and for who is not."""
    return cast("Person | None", scope.get(PERSON))


def needed_for(verb: str) -> Role:
    """The role that a command needs."""
    return Role.TECHNICIAN if verb in TECHNICIANS_VERBS else Role.ENGINEER


def needed_at(method: str, path: str) -> Role | None:
    """The role that a route needs, None where it is for nobody. `path` is the route's own, in braces too."""
    method = "GET" if method == "HEAD" else method
    return NEEDED.get((method, path), Role.VIEWER if method == "GET" else None)


class RoleNeeded(HTTPException):
    """403: the role is not enough. `needed` None: no role is."""

    def __init__(self, needed: Role | None) -> None:
        super().__init__(403, "login.needs_role" if needed else "login.for_nobody")
        self.needed = needed


class Doorkeeper:
    """Stands before one route and lets pass who has the role for it; to be used where accounts are."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the route (ASGI 3). Raises RoleNeeded."""
        person = person_of(scope)
        if self._path not in OPEN and not (person is None and self._path in HERE):
            needed = needed_at(scope["method"], self._path)
            if needed is None or person is None or not person.role.may(needed):
                raise RoleNeeded(needed)
        await self._app(scope, receive, send)


def need_role(request: Request, verb: str) -> None:
    """Raises RoleNeeded where who is logged in may not give this command."""
    person, needed = person_of(request.scope), needed_for(verb)
    if person is not None and not person.role.may(needed):
        raise RoleNeeded(needed)
