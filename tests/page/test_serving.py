"""How the page is served: encrypted, and whom it believes about who asks."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from dashboards.console import server
from dashboards.console.server import config_of
from dashboards.console.session_cookie import NAME
from dashboards.console.settings import ConsoleSettings
from tests.page.conftest import make_app
from tests.support.grafana_push import server_certificate
from tests.support.page_door import book
from tests.support.page_people import VIEWER, access_of, log_in
from tests.support.page_server import running_page

ABROAD = {"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https"}


@contextmanager
def served(folder: Path, **given: object) -> Iterator[str]:
    """The address of a page as `palier console` serves it with these settings."""
    settings = ConsoleSettings(
        plant=folder / "plant.toml",
        data=folder,
        accounts=folder / "accounts.sqlite",
        **given,  # type: ignore[arg-type]
    )
    app = make_app(folder / "historian.sqlite", access=access_of(folder))
    with running_page(app, config=config_of(app, settings)) as address:
        yield address


def test_a_page_with_a_certificate_is_served_encrypted_and_its_cookies_are_secure(tmp_path: Path) -> None:
    _, certificate = server_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate))
    with (
        served(tmp_path, tls_cert=certificate, tls_key=tmp_path / "server.key") as address,
        httpx.Client(base_url=address, verify=trust, trust_env=False, timeout=30) as client,
    ):
        assert address.startswith("https://")
        cookies = log_in(client, VIEWER).headers.get_list("set-cookie")
        assert all("Secure" in cookie for cookie in cookies)
        assert any(cookie.startswith(f"__Host-{NAME}=") for cookie in cookies)
        assert client.get("/session").json()["name"] == VIEWER
        with pytest.raises(httpx.TransportError):
            httpx.get(address.replace("https", "http"), trust_env=False)


@pytest.mark.parametrize(
    ("proxy", "comes_from", "noted"),
    [
        ({}, "127.0.0.1", "127.0.0.1"),
        ({"behind_proxy": True}, "127.0.0.1", "192.0.2.7"),
        ({"behind_proxy": True}, "127.0.0.2", "127.0.0.2"),
        ({"behind_proxy": True, "proxy": "127.0.0.2"}, "127.0.0.2", "192.0.2.7"),
    ],
    ids=["none", "here", "elsewhere", "named"],
)
def test_a_proxy_is_believed_only_where_a_setting_says_that_there_is_one(
    tmp_path: Path, proxy: dict[str, object], comes_from: str, noted: str
) -> None:
    way = httpx.HTTPTransport(local_address=comes_from)
    with (
        served(tmp_path, **proxy) as address,
        httpx.Client(base_url=address, transport=way, trust_env=False, headers=ABROAD, timeout=30) as client,
    ):
        client.headers["cookie"] = re.split(";", client.get("/login").headers["set-cookie"])[0]
        client.cookies.clear()
        token = re.findall(r'name="token" value="([0-9a-f]{64})"', client.get("/login").text)[0]
        form = {"token": token, "name": VIEWER, "password": "not the password"}
        assert client.post("/login", data=form, headers={"origin": address}).status_code == 401
        secure = "Secure" in client.get("/login", headers={"cookie": ""}).headers["set-cookie"]
    assert secure == (noted == "192.0.2.7")
    with book(tmp_path) as accounts:
        assert accounts.journal(1)[0].address == noted


def test_connections_that_ask_for_nothing_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent ones, one that never ends its request, and one that asked once: their places are free again."""
    monkeypatch.setattr(server, "SILENT_S", 0.1)
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 4)
    with served(tmp_path) as address, ExitStack() as stack:
        url = httpx.URL(address)
        silent = [
            stack.enter_context(socket.create_connection((url.host, url.port or 0), timeout=10))
            for _ in range(3)
        ]
        silent[1].sendall(b"GET /healthz HTTP/1.1\r\nhost: ")
        silent[2].sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nG")
        for connection in silent:
            with suppress(ConnectionResetError):  # ended before it was told what we wrote: ended as well
                while connection.recv(4096):
                    pass  # until it is ended; otherwise the socket's own time does
        assert httpx.get(f"{address}/healthz", trust_env=False, timeout=30).status_code == 200


def test_one_machine_can_not_take_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_OF_ONE", 2)
    monkeypatch.setattr(server, "is_loopback", lambda host: host == "127.0.0.2")
    with served(tmp_path) as address, ExitStack() as stack:
        url = httpx.URL(address)
        for _ in range(3):
            last = stack.enter_context(socket.create_connection((url.host, url.port or 0), timeout=10))
        with suppress(ConnectionResetError):
            assert last.recv(1) == b""
        other = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=other, trust_env=False, timeout=30) as client:
            assert client.get(f"{address}/healthz").status_code == 200
