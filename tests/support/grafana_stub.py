"""A stand-in for a Grafana: its HTTP API for folders, data sources and dashboards, with faults to inject.

It answers as the API of Grafana 10 to 13 is documented, and keeps what it is given. It shows nothing.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "glsa_only-for-tests"

Answer = tuple[int, Any]


@dataclass
class Fault:
    """What happens to requests of a method whose path begins so; `left` times."""

    method: str
    path: str
    status: int = 500
    body: Any = field(default_factory=lambda: {"message": "injected"})
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    left: int = 1_000_000


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    body: Any
    authorization: str


class GrafanaStub:
    """The state of the server. `denied` are permissions that the token does not have."""

    def __init__(self, *, version: str = "12.4.11", path: str = "") -> None:
        self.version, self.path = version, path
        self.url = ""
        self.folders: dict[str, dict[str, Any]] = {}
        self.data_sources: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.denied: set[str] = set()
        self.names_what_is_missing = True
        self.versions_as_list = False
        self.influx_secret: str | None = None
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.after: Callable[[Request], None] = lambda _: None

    def fail(self, method: str, path: str, **how: Any) -> None:
        """Inject a fault for requests of this method whose path begins so."""
        self.faults.append(Fault(method, path, **how))

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Method and path of all requests that change something."""
        return [(r.method, r.path) for r in self.requests if r.method != "GET"]

    def save_by_hand(self, uid: str, message: str = "", by: str = "marie") -> None:
        """Somebody saves a dashboard in the browser."""
        kept = self.dashboards[uid]
        kept["body"] = {**kept["body"], "description": "changed"}
        self._new_version(uid, message, by)

    def answer(self, request: Request) -> Answer:
        """What Grafana answers; `path` is without /api and the query."""
        if request.path == "/health":
            return 200, {"database": "ok", "version": self.version, "commit": "0"}
        if request.authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401}
        area, *rest = request.path.strip("/").split("/")
        match area:
            case "folders":
                return self._folder(request.method, request.body)
            case "datasources":
                return self._data_source(request.method, rest, request.body)
            case "dashboards":
                return self._dashboard(request.method, rest, request.body)
        return 404, {"message": "Not found"}

    def _allowed(self, permission: str) -> Answer | None:
        if permission not in self.denied:
            return None
        message = "You'll need additional permissions to perform this action."
        if self.names_what_is_missing:
            message += f" Permissions needed: {permission}"
        return 403, {"accessErrorId": "ACE1", "title": "Access denied", "message": message}

    def _folder(self, method: str, body: Any) -> Answer:
        if method == "GET":
            return self._allowed("folders:read") or (200, list(self.folders.values()))
        return self._allowed("folders:create") or self._create_folder(body)

    def _create_folder(self, body: Any) -> Answer:
        if body["uid"] in self.folders:
            return 409, {"message": "a folder with the same uid already exists"}
        self.folders[body["uid"]] = {"id": len(self.folders) + 1, "uid": body["uid"], "title": body["title"]}
        return 200, {**self.folders[body["uid"]], "version": 1}

    def _data_source(self, method: str, rest: list[str], body: Any) -> Answer:
        match method, rest:
            case "GET", ["uid", uid]:
                return self._allowed("datasources:read") or self._shown(uid)
            case "GET", ["uid", uid, "health"]:
                return self._allowed("datasources:query") or self._health(uid)
            case "GET", ["name", name]:
                uids = [uid for uid, source in self.data_sources.items() if source["name"] == name]
                return self._allowed("datasources:read") or self._shown(uids[0] if uids else "")
            case "POST", []:
                return self._allowed("datasources:create") or self._add(body)
            case "PUT", ["uid", uid]:
                return self._allowed("datasources:write") or self._change(uid, body)
        return 404, {"message": "Not found"}

    def _shown(self, uid: str) -> Answer:
        if uid not in self.data_sources:
            return 404, {"message": "Data source not found"}
        shown = dict(self.data_sources[uid])
        shown["secureJsonFields"] = dict.fromkeys(shown.pop("secureJsonData", {}), True)
        return 200, shown

    def _health(self, uid: str) -> Answer:
        held = self.data_sources[uid].get("secureJsonData", {})
        if self.influx_secret is None or self.influx_secret in held.values():
            return 200, {"status": "OK", "message": "datasource is working. 9 measurements found"}
        return 400, {"status": "ERROR", "message": f"error reading InfluxDB: 401 with {held}"}

    def _add(self, body: Any) -> Answer:
        if any(source["name"] == body["name"] for source in self.data_sources.values()):
            return 409, {"message": "data source with the same name already exists"}
        self.data_sources[body["uid"]] = {**body, "id": 1, "version": 1, "readOnly": False}
        return 200, {"message": "Datasource added"}

    def _change(self, uid: str, body: Any) -> Answer:
        there = self.data_sources[uid]
        if there["readOnly"]:
            return 403, {"message": "Cannot update read-only data source"}
        if body.get("version", there["version"]) != there["version"]:
            return 409, {"message": "Datasource has already been updated by someone else"}
        # Grafana keeps the secrets that are not sent.
        secrets = {**there.get("secureJsonData", {}), **body.get("secureJsonData", {})}
        kept = {"id": there["id"], "version": there["version"] + 1, "readOnly": False}
        self.data_sources[uid] = {**body, **kept, "secureJsonData": secrets}
        return 200, {"message": "Datasource updated"}

    def _dashboard(self, method: str, rest: list[str], body: Any) -> Answer:
        match method, rest:
            case "GET", ["uid", uid]:
                return self._allowed("dashboards:read") or self._opened(uid)
            case "GET", ["uid", uid, "versions"]:
                listed = self.dashboards[uid]["versions"]
                return self._allowed("dashboards:write") or (
                    200,
                    listed if self.versions_as_list else {"continueToken": "", "versions": listed},
                )
            case "POST", ["db"]:
                new = body["dashboard"]["uid"] not in self.dashboards
                return self._allowed(f"dashboards:{'create' if new else 'write'}") or self._save(body)
        return 404, {"message": "Not found"}

    def _opened(self, uid: str) -> Answer:
        if uid not in self.dashboards:
            return 404, {"message": "Dashboard not found", "status": "not-found"}
        kept = self.dashboards[uid]
        meta = {
            "folderUid": kept["folder"],
            "folderTitle": self.folders.get(kept["folder"], {}).get("title", "General"),
            "version": kept["versions"][0]["version"],
            "provisioned": kept.get("provisioned", False),
            "updatedBy": kept["versions"][0]["createdBy"],
        }
        return 200, {"dashboard": {**kept["body"], "id": 7, "version": meta["version"]}, "meta": meta}

    def _save(self, body: Any) -> Answer:
        dashboard, folder = body["dashboard"], body.get("folderUid", "")
        there = self.dashboards.get(dashboard["uid"])
        if folder and folder not in self.folders:
            return 400, {"message": "folder not found"}
        if there is not None and there.get("provisioned"):
            return 400, {"message": "Cannot save provisioned dashboard"}
        seen = dashboard.get("version")
        if there is not None and not body["overwrite"] and seen != there["versions"][0]["version"]:
            return 412, {
                "status": "version-mismatch",
                "message": "The dashboard has been changed by someone else",
            }
        self.dashboards.setdefault(dashboard["uid"], {"versions": []})
        self.dashboards[dashboard["uid"]] |= {"body": dashboard, "folder": folder}
        self._new_version(dashboard["uid"], body.get("message", ""), "sa-palier")
        return 200, {"status": "success", "uid": dashboard["uid"]}

    def _new_version(self, uid: str, message: str, by: str) -> None:
        versions = self.dashboards[uid]["versions"]
        versions.insert(0, {"version": len(versions) + 1, "message": message, "createdBy": by})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    stub: GrafanaStub

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        prefix = f"{self.stub.path}/api"
        whole = self.path.partition("?")[0]
        if not whole.startswith(prefix):
            self._send(404, "<html>nothing here</html>", {})
            return
        request = Request(
            self.command,
            whole.removeprefix(prefix),
            json.loads(raw) if raw else None,
            self.headers.get("Authorization", ""),
        )
        self.stub.requests.append(request)
        for fault in self.stub.faults:
            if fault.left and fault.method == request.method and request.path.startswith(fault.path):
                fault.left -= 1
                self._fail(fault)
                return
        self._send(*self.stub.answer(request), {})
        self.stub.after(request)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that the base calls

    def _fail(self, fault: Fault) -> None:
        time.sleep(fault.delay_s)
        if fault.cut:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self._send(fault.status, fault.body, fault.headers)

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        text = isinstance(body, str)
        data = (body if text else json.dumps(body)).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if text else "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True  # whoever asked has gone, as after a timeout

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass  # a client that does not trust the certificate hangs up


@contextmanager
def running_grafana(stub: GrafanaStub, tls: ssl.SSLContext | None = None) -> Iterator[GrafanaStub]:
    """Serve the stub on a free port of loopback for the length of the block; `stub.url` says where."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{stub.path}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), name="grafana")
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
