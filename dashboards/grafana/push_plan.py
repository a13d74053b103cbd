"""What is in a Grafana, what should be there, and the steps between. Pure: nothing is fetched or written.

    Wanted + Found --plan()--> Step, Step, ... in the order in which they must be done

The rule of all steps: what somebody else made or changed is not written over without `force`. A dashboard
carries no mark of ours in its JSON; the message of its last version says who wrote it, and what
(`palier grafana push <digest>`), so that the second push knows that nothing changed, and that nobody else
has saved it in between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

DEFAULT_FOLDER: Final = "Palier"
RAW: Final = "palier"
HOURLY: Final = "palier_hourly"
"""Name and uid of the two data sources: what the dashboards select, whatever the database is called."""

CONSOLE: Final = "console"
"""The variable of the dashboards that holds the address of the page they link to."""

_MESSAGE: Final = "palier grafana push "
_FOLDER_UID: Final = "palier"
_OF_THE_FILE: Final = ("id", "version")
"""Keys of a dashboard that belong to one Grafana and not to the dashboard."""
_KEPT: Final = ("isDefault", "basicAuth", "basicAuthUser", "withCredentials", "version")
"""Of a data source that is there: what the push does not decide. `version` lets Grafana refuse a race."""


class Action(StrEnum):
    """What is to be done with one thing."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Kind(StrEnum):
    """What a step is about."""

    FOLDER = "folder"
    DATA_SOURCE = "data source"
    DASHBOARD = "dashboard"


@dataclass(frozen=True)
class DataSource:
    """One InfluxDB data source, read by InfluxQL. Without `user` it is a 2.x server, by a token header."""

    name: str
    url: str
    database: str
    user: str | None = None
    own_ca: bool = False

    def settings(self) -> dict[str, Any]:
        """What is written beside the secrets; `name` is its uid too."""
        data: dict[str, Any] = {"version": "InfluxQL", "dbName": self.database, "httpMode": "POST"}
        if self.user is None:
            data["httpHeaderName1"] = "Authorization"
        if self.own_ca:
            data["tlsAuthWithCACert"] = True
        return {
            "uid": self.name,
            "name": self.name,
            "type": "influxdb",
            "access": "proxy",
            "url": self.url,
            "user": self.user or "",
            "jsonData": data,
        }

    def secret_fields(self) -> frozenset[str]:
        """The names of the secrets that Grafana keeps for it, and never gives back."""
        secret = "password" if self.user else "httpHeaderValue1"
        return frozenset({secret, "tlsCACert"} if self.own_ca else {secret})


@dataclass(frozen=True)
class Dashboard:
    """A dashboard in Grafana's classic JSON."""

    uid: str
    title: str
    body: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Dashboard:
        """The dashboard of a file. Raises ValueError with a sentence for what is none in classic JSON."""
        body = json.loads(data)
        if not isinstance(body, dict) or "schemaVersion" not in body:
            raise ValueError("it must be a dashboard in classic JSON, with schemaVersion at its top level")
        uid, title = body.get("uid"), body.get("title")
        if not (isinstance(uid, str) and uid and isinstance(title, str) and title):
            raise ValueError(f"it must have a uid and a title, got {uid!r} and {title!r}")
        return cls(uid, title, {key: value for key, value in body.items() if key not in _OF_THE_FILE})

    def linked_to(self, console: str) -> Dashboard:
        """The same dashboard with its links to the page at this address: the constant variable `console`."""
        templating = self.body.get("templating") or {}
        option = {"selected": True, "text": console, "value": console}
        told = {"query": console, "current": option, "options": [option]}
        listed = [
            {**variable, **told} if variable.get("name") == CONSOLE else variable
            for variable in templating.get("list") or []
        ]
        return replace(self, body={**self.body, "templating": {**templating, "list": listed}})

    def message(self) -> str:
        """What the version that holds this very dashboard is called: 64 bits of its SHA-256."""
        canonical = json.dumps(self.body, sort_keys=True, separators=(",", ":")).encode()
        return _MESSAGE + hashlib.sha256(canonical).hexdigest()[:16]


@dataclass(frozen=True)
class Wanted:
    """What should be there. Without data sources, those of the Grafana are left as they are."""

    folder: str
    data_sources: tuple[DataSource, ...]
    dashboards: tuple[Dashboard, ...]


@dataclass(frozen=True)
class FoundFolder:
    """A folder of the top level."""

    uid: str
    title: str


@dataclass(frozen=True)
class FoundDataSource:
    """A data source as Grafana gives it; `answers` is None where Grafana can't say."""

    body: Mapping[str, Any] = field(repr=False)
    answers: bool | None = None


@dataclass(frozen=True)
class FoundDashboard:
    """A dashboard that has one of our uids. `messages` are those of its versions, the newest first."""

    folder_uid: str
    folder_title: str
    version: int
    messages: tuple[str, ...]
    by: str = ""
    provisioned: bool = False


@dataclass(frozen=True)
class Found:
    """What is there of what we want: data sources by uid and by name, dashboards by uid."""

    folders: tuple[FoundFolder, ...] = ()
    data_sources: Mapping[str, FoundDataSource] = field(default_factory=dict)
    dashboards: Mapping[str, FoundDashboard] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing and what is to be done with it; `body` is what is sent, without any secret."""

    action: Action
    kind: Kind
    name: str
    uid: str
    reason: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


def plan(wanted: Wanted, found: Found, *, force: bool = False) -> tuple[Step, ...]:
    """The steps: folder, data sources, dashboards. With `force`, what was changed by hand is written over."""
    folder = _folder(wanted.folder, found.folders)
    sources = [_data_source(source, found.data_sources, force=force) for source in wanted.data_sources]
    boards = [
        _dashboard(board, found.dashboards.get(board.uid), folder, force=force) for board in wanted.dashboards
    ]
    return (folder, *sources, *boards)


def folder_uid(title: str) -> str:
    """The uid under which the push makes a folder of this title: found again when somebody renames it."""
    if title == DEFAULT_FOLDER:
        return _FOLDER_UID
    return f"{_FOLDER_UID}-{hashlib.sha256(title.encode()).hexdigest()[:12]}"


def _folder(title: str, folders: Sequence[FoundFolder]) -> Step:
    uid = folder_uid(title)
    ours = next((f for f in folders if f.uid == uid), None)
    there = ours or next((f for f in folders if f.title == title), None)
    if there is None:
        return Step(Action.CREATE, Kind.FOLDER, title, uid, body={"title": title, "uid": uid})
    reason = "" if there.title == title else f"it is called {there.title!r} now"
    return Step(Action.UNCHANGED, Kind.FOLDER, title, there.uid, reason)


def _data_source(source: DataSource, found: Mapping[str, FoundDataSource], *, force: bool) -> Step:
    there, settings = found.get(source.name), source.settings()
    if there is None:
        return Step(Action.CREATE, Kind.DATA_SOURCE, source.name, source.name, body=settings)
    step = Step(Action.UPDATE, Kind.DATA_SOURCE, source.name, source.name)
    differences = tuple(_differences(source, there))
    if foreign := _foreign(source, there.body):
        return _refused(step, foreign)
    provisioned = bool(there.body.get("readOnly"))
    if not differences and (provisioned or not force):
        return Step(Action.UNCHANGED, Kind.DATA_SOURCE, source.name, source.name)
    if provisioned:
        return _refused(step, f"provisioned by a file, which alone can change its {', '.join(differences)}")
    kept = {key: there.body[key] for key in _KEPT if key in there.body}
    merged = {**kept, **settings, "jsonData": {**_json_data(there.body), **settings["jsonData"]}}
    reason = f"differs in {', '.join(differences)}" if differences else "written again, as --force says"
    return Step(Action.UPDATE, Kind.DATA_SOURCE, source.name, source.name, reason, merged)


def _foreign(source: DataSource, body: Mapping[str, Any]) -> str:
    """Why a data source that is there can't be made ours, by no force."""
    if body.get("uid") != source.name:
        return (
            f"another data source of this name is there, with the uid {body.get('uid')!r}: rename it, "
            "or leave out --influx-url and select it in the dashboards"
        )
    if body.get("type") != "influxdb":
        return (
            f"the uid {source.name!r} belongs to a data source of type {body.get('type')!r}: "
            "delete that one, or leave out --influx-url"
        )
    return ""


def _differences(source: DataSource, there: FoundDataSource) -> Iterator[str]:
    """In what a data source is not as wanted. What Palier does not set may be anything."""
    settings, body = source.settings(), there.body
    for key, name in (("name", "name"), ("url", "address"), ("access", "access"), ("user", "user")):
        if (body.get(key) or "") != settings[key]:
            yield name
    data = _json_data(body)
    for key, value in settings["jsonData"].items():
        if data.get(key) != value:
            yield {"dbName": "database"}.get(key, key)
    kept = body.get("secureJsonFields") or {}
    # Grafana never gives a secret back: the only sign of a wrong one is that the data source fails.
    if there.answers is False or not all(kept.get(name) for name in source.secret_fields()):
        yield "secrets (the data source does not answer)" if there.answers is False else "secrets"


def _json_data(body: Mapping[str, Any]) -> Mapping[str, Any]:
    data = body.get("jsonData")
    return data if isinstance(data, Mapping) else {}


def _dashboard(board: Dashboard, there: FoundDashboard | None, folder: Step, *, force: bool) -> Step:
    if there is None:
        return Step(Action.CREATE, Kind.DASHBOARD, board.title, board.uid, body=_save(board, None))
    update = Step(Action.UPDATE, Kind.DASHBOARD, board.title, board.uid, body=_save(board, there.version))
    moved = folder.action is Action.CREATE or there.folder_uid != folder.uid
    newest = there.messages[0] if there.messages else ""
    if there.provisioned:
        return _refused(update, "provisioned by a file, which alone can change it")
    if not force:
        if not newest.startswith(_MESSAGE):
            return _refused(update, _by_hand(there) + "; --force writes over it")
        if moved:
            return _refused(
                update,
                f"it is in the folder {there.folder_title!r}; name that by --folder, or --force moves it",
            )
    if newest == board.message() and not moved:
        return Step(Action.UNCHANGED, Kind.DASHBOARD, board.title, board.uid)
    return update


def _by_hand(there: FoundDashboard) -> str:
    if any(message.startswith(_MESSAGE) for message in there.messages):
        by = f" by {there.by}" if there.by else ""
        return f"it was changed by hand{by} since the last push (version {there.version})"
    return "a dashboard of this uid is there that no push wrote"


def _save(board: Dashboard, version: int | None) -> dict[str, Any]:
    """What is sent. Never `overwrite`: the version that was looked at is named, and a newer one is kept."""
    body = dict(board.body) if version is None else {**board.body, "version": version}
    return {"dashboard": {**body, "id": None}, "message": board.message(), "overwrite": False}


def _refused(step: Step, reason: str) -> Step:
    return Step(Action.REFUSED, step.kind, step.name, step.uid, reason)
