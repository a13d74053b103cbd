"""Puts folder, data sources and dashboards into a Grafana, through grafana-client and its `/api`.

    with Grafana(url, token) as grafana:
        steps = plan(wanted, grafana.look(wanted))
        for step in steps:
            grafana.perform(step, secrets)

Everything is read before anything is written. Nothing that is raised, logged or shown holds a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from .push_errors import Doing, GrafanaError, explain, message_of, not_grafana, shortened
from .push_plan import (
    Action,
    DataSource,
    Found,
    FoundDashboard,
    FoundDataSource,
    FoundFolder,
    Kind,
    Step,
    Wanted,
)

OLDEST: Final = 10
"""Grafana's major version from which on all of the API that is used here is there."""

TIMEOUT_S: Final = 20.0
"""Saving a dashboard takes well under a second; trying a data source may wait for InfluxDB."""

T = TypeVar("T")


class Grafana:
    """A connection to somebody's Grafana. Raises GrafanaError, and ImportError without grafana-client.

    `hidden` are secrets besides the token that no text may show, should a server echo them.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        ca: Path | None = None,
        hidden: tuple[SecretStr, ...] = (),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        from grafana_client.api import GrafanaApi

        make: Any = GrafanaApi  # its functions are not annotated
        parts = urlsplit(url)
        path = parts.path.strip("/")
        self._url = url.rstrip("/")
        self._hidden = tuple(secret.get_secret_value() for secret in (token, *hidden))
        self._api: Any = make(
            token.get_secret_value(),
            host=f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname,
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",  # it is put before "api" as it is
            protocol=parts.scheme,
            verify=True if ca is None else str(ca),
            timeout=timeout_s,
            user_agent="palier",
        )
        # A redirect would turn a POST into a GET and end on a login page: it is a wrong --url, and said so.
        self._api.client.s.max_redirects = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.client.s.close()  # not client.close(): each name on the client is a request of that method

    def __repr__(self) -> str:
        return f"Grafana({self._url!r})"

    def version(self) -> str:
        """The server's version, "" where it hides it. Raises GrafanaError for one that is too old."""
        health = self._dictionary(Doing("tell its version"), lambda: self._api.client.GET("/health"))
        if "version" not in health and "database" not in health:
            raise GrafanaError(not_grafana(self._url))
        version = str(health.get("version") or "")
        major = re.match(r"\d+", version)
        if major and int(major[0]) < OLDEST:
            raise GrafanaError(
                f"Grafana at {self._url} is version {version}, and Palier's dashboards need {OLDEST} "
                "or newer: upgrade it"
            )
        return version

    def look(self, wanted: Wanted) -> Found:
        """What is there of what is wanted. Changes nothing."""
        folders = self._call(Doing("list folders", "folders:read"), self._api.folder.get_all_folders)
        if not isinstance(folders, list):
            raise GrafanaError(not_grafana(self._url))
        sources = {source.name: self._data_source(source) for source in wanted.data_sources}
        boards = {board.uid: self._dashboard(board.uid, board.title) for board in wanted.dashboards}
        return Found(
            tuple(FoundFolder(str(f.get("uid", "")), str(f.get("title", ""))) for f in folders),
            {name: source for name, source in sources.items() if source is not None},
            {uid: board for uid, board in boards.items() if board is not None},
        )

    def perform(self, step: Step, folder: str, secrets: Mapping[str, SecretStr]) -> None:
        """Do one step; `folder` is the uid of the folder of the dashboards. Raises GrafanaError."""
        if step.action not in {Action.CREATE, Action.UPDATE}:
            return
        verb, body = str(step.action), dict(step.body)
        match step.kind:
            case Kind.FOLDER:
                doing = Doing(f"create the folder {step.name!r}", "folders:create")
                self._call(doing, lambda: self._api.folder.create_folder(**body))
            case Kind.DATA_SOURCE:
                body["secureJsonData"] = {name: s.get_secret_value() for name, s in secrets.items()}
                right = "create" if step.action is Action.CREATE else "write"
                doing = Doing(f"{verb} the data source {step.name!r}", f"datasources:{right}")
                self._call(doing, lambda: self._save_data_source(step, body))
            case Kind.DASHBOARD:
                right = "create" if step.action is Action.CREATE else "write"
                doing = Doing(f"{verb} the dashboard {step.name!r}", f"dashboards:{right}")
                self._call(doing, lambda: self._api.dashboard.update_dashboard({**body, "folderUid": folder}))

    def trouble(self, name: str) -> str | None:
        """What Grafana says when it tries this data source: "" that it works, None that it can't say."""
        doing = Doing(f"try the data source {name!r}", "datasources:query")
        try:
            answer = self._dictionary(doing, lambda: self._api.datasource.health(name))
        except GrafanaError as error:
            # It answers 400 where the data source fails. All else is about the check, which not each
            # token may make and not each version knows.
            return shortened(error.said) if error.status == 400 else None
        status, said = str(answer.get("status", "")), self._clean(message_of(answer))
        # A database without a row yet is no trouble: the dashboards fill when the ingest has started.
        if status == "OK" or "0 measurements" in said:
            return ""
        return shortened(said) if status == "ERROR" else None

    def _save_data_source(self, step: Step, body: dict[str, Any]) -> object:
        if step.action is Action.CREATE:
            return self._api.datasource.create_datasource(body)
        return self._api.datasource.update_datasource_by_uid(step.uid, body)

    def _data_source(self, source: DataSource) -> FoundDataSource | None:
        doing = Doing(f"look for the data source {source.name!r}", "datasources:read")
        body = self._if_there(doing, lambda: self._api.datasource.get_datasource_by_uid(source.name))
        if body is None:
            body = self._if_there(doing, lambda: self._api.datasource.get_datasource_by_name(source.name))
            return None if body is None else FoundDataSource(body)
        trouble = self.trouble(source.name)
        return FoundDataSource(body, None if trouble is None else not trouble)

    def _dashboard(self, uid: str, title: str) -> FoundDashboard | None:
        doing = Doing(f"look for the dashboard {title!r}", "dashboards:read")
        found = self._if_there(doing, lambda: self._api.dashboard.get_dashboard(uid))
        if found is None:
            return None
        meta = found.get("meta") or {}
        return FoundDashboard(
            folder_uid=str(meta.get("folderUid") or ""),
            folder_title=str(meta.get("folderTitle") or "General"),
            version=int((found.get("dashboard") or {}).get("version") or meta.get("version") or 0),
            messages=self._messages(uid, title),
            by=str(meta.get("updatedBy") or ""),
            provisioned=bool(meta.get("provisioned")),
        )

    def _messages(self, uid: str, title: str) -> tuple[str, ...]:
        """The messages of a dashboard's versions, the newest first."""
        doing = Doing(f"list the versions of the dashboard {title!r}", "dashboards:write")
        versions = self._call(
            # Without its `limit`, which it sends as a body of the GET.
            doing,
            lambda: self._api.dashboard_versions.get_dashboard_versions_by_uid(dashboard_uid=uid),
        )
        if isinstance(versions, dict):  # newer servers; older ones answer with the list itself
            versions = versions.get("versions")
        listed = sorted(versions or [], key=lambda v: int(v.get("version", 0)), reverse=True)
        return tuple(str(v.get("message") or "") for v in listed)

    def _if_there(self, doing: Doing, ask: Callable[[], Any]) -> Mapping[str, Any] | None:
        """What is answered, None for a 404."""
        try:
            return self._dictionary(doing, ask)
        except GrafanaError as error:
            if error.status == 404:
                return None
            raise

    def _dictionary(self, doing: Doing, ask: Callable[[], Any]) -> Mapping[str, Any]:
        answer = self._call(doing, ask)
        if not isinstance(answer, dict):  # a login page comes as text
            raise GrafanaError(not_grafana(self._url))
        return answer

    def _call(self, doing: Doing, ask: Callable[[], T]) -> T:
        """What is answered; what goes wrong as a GrafanaError, without its cause: that holds the headers."""
        from grafana_client.client import GrafanaException

        try:
            return ask()
        except (GrafanaException, OSError, ValueError) as error:  # niquests' own errors are OSErrors
            status, said = 0, ""
            if isinstance(error, GrafanaException):
                status, said = error.status_code, self._clean(message_of(error.response))
            failed = GrafanaError(self._clean(explain(error, doing, self._url, said)), status, said)
        raise failed

    def _clean(self, text: str) -> str:
        """A foreign text without our secrets, should a server or proxy have echoed one."""
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text
