"""Every service really runs with planted secrets; then all that they said, wrote and show is searched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

import pytest

from palier.children import Child, is_ready, start, wait_until
from palier.embedded import toml_text
from palier.plant import sample_plant_path
from palier.provision.making import Wanted, provision
from tests.support.edge_agent import write_agent
from tests.support.provisioned import provisioned_broker
from tests.support.services import free_port
from tests.support.waiting import eventually

PALIER = [sys.executable, "-P", "-m", "palier"]
SITE = "khouribga"  # of the sample plant

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]  # some twenty processes, one after another


@dataclass
class Plant:
    """A plant's files with a secret of its own in each place that takes one; `said` is what came out."""

    folder: Path
    broker_port: int
    secrets: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def plant(self, name: str, file: Path) -> Path:
        """A secret into a file that only its owner may read."""
        self.secrets[name] = f"geheim-{name}-4711"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_text(self.secrets[name] + "\n", "utf-8")
        return file

    def keep(self, name: str, text: str) -> None:
        self.said[name] = self.said.get(name, "") + text

    def run(self, *arguments: object, code: int | None = None, **environment: str) -> str:
        """`palier ARGUMENTS` to its end; what it printed is kept."""
        done = subprocess.run(
            [*PALIER, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **environment},
            check=False,
        )
        self.keep(" ".join(map(str, arguments[:2])), done.stdout + done.stderr)
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def config(self, name: str, **settings: object) -> Path:
        file = self.folder / f"{name}.toml"
        file.write_text(toml_text(settings), "utf-8")
        return file

    @contextmanager
    def running(self, name: str, *command: object, port: int) -> Iterator[Child]:
        """A service until it is ready; at its end all that others may see of it was looked at."""
        child = start(name, [*PALIER, *map(str, command)], self.folder / f"{name}.log")
        try:
            yield child
            self.look(name, child, port)
            child.process.send_signal(signal.SIGTERM)
            assert child.process.wait(60) == 0, child.explain("did not end well")
        finally:
            child.process.kill()
            child.process.wait()
            self.keep(f"{name}.log", child.log.read_text("utf-8", "replace"))

    def look(self, name: str, child: Child, port: int) -> None:
        """Command line and environment of it and its children, and what it answers to anybody."""
        for pid in (child.process.pid, *children_of(child.process.pid)):
            for what in ("cmdline", "environ"):
                self.keep(
                    f"{name} {what}", Path(f"/proc/{pid}/{what}").read_bytes().decode("utf-8", "replace")
                )
        for path in ("/healthz", "/readyz", "/metrics", "/", "/api/overview", "/nowhere"):
            with (
                suppress(URLError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer,
            ):
                self.keep(f"{name} {path}", answer.read().decode("utf-8", "replace") + str(answer.headers))

    def found(self) -> list[tuple[str, str]]:
        """(secret, where): in what was said, and in every file that a service wrote."""
        kept = {str(file): file for name in ("data", "outbox") for file in (self.folder / name).rglob("*")}
        written = {name: file.read_bytes() for name, file in kept.items() if file.is_file()}
        places = {name: text.encode() for name, text in self.said.items()} | written
        return [
            (name, place)
            for name, one in self.secrets.items()
            for place, b in places.items()
            if one.encode() in b
        ]


def children_of(pid: int) -> list[int]:
    """The processes that this one started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found += map(int, task.read_text().split())
    return found


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """With a broker that asks each for its account; its certificate ends soon, an alarm to be sent."""
    made = tmp_path / "access"
    made.mkdir(0o700)
    planted = Plant(tmp_path, 0)
    provision(made, Wanted(site=SITE, gateways=("p1",), days=20), datetime.now(UTC))
    for name in ("ingest", "console", "operator"):
        planted.plant(f"mqtt-{name}", made / f"secrets/mqtt_{name}_password")
    planted.plant("gateway", made / "gateways/p1/password")
    done = provision(made, Wanted(), datetime.now(UTC))
    planted.keep("provision", repr(done))
    with provisioned_broker(made, tmp_path) as broker:
        planted.broker_port = broker.port
        yield planted
        planted.keep("broker", broker.log.read_text())


def account(plant: Plant, name: str) -> dict[str, object]:
    """The [broker] table of a service."""
    made = plant.folder / "access"
    file = made / ("gateways/p1/password" if name == "p1" else f"secrets/mqtt_{name}_password")
    return {
        "host": "localhost",
        "port": plant.broker_port,
        "username": name,
        "password_file": str(file),
        "tls_ca": str(made / "ca.crt"),
    }


def ingest_config(plant: Plant, name: str, port: int, **more: object) -> Path:
    """An ingest that tells people by a mail server and a web hook that are not there."""
    secrets, nobody = plant.folder / "secrets", free_port()
    notify: dict[str, object] = {
        "notify.email": {
            "host": "127.0.0.1",
            "port": nobody,
            "sender": "palier@example.org",
            "to": ["atelier@example.org"],
            "username": "palier",
            "password_file": str(plant.plant("smtp", secrets / "smtp")),
        },
        "notify.webhook": {
            "url": f"http://127.0.0.1:{nobody}/hook",
            "token_file": str(plant.plant("webhook", secrets / "webhook")),
        },
    }
    return plant.config(
        name,
        plant=str(sample_plant_path()),
        data=str(plant.folder / "data" / name),
        health_port=port,
        broker=account(plant, "ingest"),
        **notify,
        **more,
    )


def test_no_secret_is_anywhere_but_in_its_file(plant: Plant) -> None:
    folder, ports = plant.folder, [free_port() for _ in range(4)]
    ingest = ingest_config(plant, "ingest", ports[0])
    agent = write_agent(folder, 0)
    text = agent.read_text("utf-8").replace('"usine"', f'"{SITE}"').replace("port = 0\n", "")
    text = text.replace(
        "[broker]\n", f"health_port = {ports[1]}\n" + toml_text({"broker": account(plant, "p1")})
    )
    agent.write_text(text, "utf-8")
    operator = {
        f"PALIER_OPERATOR_{key}": str(value)
        for key, value in {
            "SITE": SITE,
            "USER": "h.alami",
            **{f"BROKER__{k.upper()}": v for k, v in account(plant, "operator").items()},
        }.items()
    }
    plant.run("user", "add", "Hanane", "--role", "engineer", "--accounts", folder / "who.sqlite",
              "--password-file", plant.plant("page", folder / "secrets/page"), code=0)  # fmt: skip
    console = plant.config(
        "console",
        plant=str(sample_plant_path()),
        data=str(folder / "data" / "ingest"),
        port=ports[2],
        accounts=str(folder / "who.sqlite"),
        broker=account(plant, "console"),
    )
    for service, config in (("ingest", ingest), ("agent", agent), ("console", console)):
        plant.run(service, "--config", config, "--print-config", code=0)
        plant.run(service, "--config", config, "--check")
    with (
        plant.running("ingest", "ingest", "--config", ingest, port=ports[0]) as host,
        plant.running("agent", "agent", "--config", agent, port=ports[1]) as gateway,
    ):
        wait_until(host, lambda: is_ready(ports[0]), 60)
        wait_until(gateway, lambda: is_ready(ports[1]), 60)
        with plant.running("console", "console", "--config", console, port=ports[2]) as page:
            wait_until(page, lambda: is_ready(ports[2]), 60)
            log_in(plant, ports[2])
            plant.run("alarms", "list", "--data", folder / "data" / "ingest")
            plant.run("intervention", "add", "P-101", "bearing_changed", "--text", "vu", **operator)
        log = folder / "ingest.log"
        eventually(lambda: "notice_not_sent" in log.read_text(), 90, "a message that could not be sent")
    refused(plant, ports[3], operator)
    assert len(plant.secrets) >= 9
    looked_at = {
        f"{name} {what}" for name in ("ingest", "agent", "console") for what in ("cmdline", "environ")
    }
    assert looked_at | {"ingest /metrics", "console /", "agent /metrics"} <= set(plant.said)
    assert plant.found() == []
    plant.secrets = {"what everybody may see": "palier_ingest_"}
    assert plant.found() != []  # so a secret among the metrics would have been found


def log_in(plant: Plant, port: int) -> None:
    """With the right password, and with one that is wrong; what is answered is kept, accepted or not."""
    for password in (plant.secrets["page"], plant.secrets["page"] + "-wrong"):
        form = urlencode({"name": "Hanane", "password": password}).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", form, timeout=20) as answer:
                said = answer.read().decode()
        except HTTPError as error:
            said = error.read().decode()
            error.close()
        plant.keep("login", said)


def refused(plant: Plant, port: int, operator: dict[str, str]) -> None:
    """What is said where a server refuses, does not answer, or a setting is wrong: with secrets at hand."""
    nowhere, secrets = f"http://127.0.0.1:{free_port()}", plant.folder / "secrets"
    token = plant.plant("influx-token", secrets / "influx_token")
    admin = plant.plant("influx-admin", secrets / "influx_admin")
    away = ingest_config(
        plant, "away", port, historian={"url": nowhere, "token_file": str(token), "org": "palier"}
    )
    plant.run("ingest", "--config", away, "--print-config", code=0)
    plant.run("ingest", "--config", away, "--check", code=1)
    plant.run("historian", "setup", "--url", nowhere, "--admin-token-file", admin,
              "--writer-token-file", token, "--reader-token-file", token)  # fmt: skip
    plant.run(
        "grafana", "push", "--url", nowhere, "--token-file", plant.plant("grafana", secrets / "grafana")
    )
    (plant.folder / "access/secrets/mqtt_operator_password").write_text(
        plant.secrets["mqtt-operator"] + "-old"
    )
    told = plant.run("intervention", "add", "P-101", "bearing_changed", "--text", "vu", **operator)
    assert told == ""
    assert "refuses the account 'operator'" in plant.said["intervention add"]
    plant.run("model", "keygen", plant.folder / "site", code=0)
    pem = (plant.folder / "site.key").read_text()
    plant.secrets["signing-key"] = re.sub(r"-----[^-]+-----|\s", "", pem)
    plant.run(
        "ingest", "--config", plant.folder / "none.toml", PALIER_INGEST_BROKER__PASSWORD="geheim-env-4711"
    )
    plant.secrets["environment"] = "geheim-env-4711"
    wrong = plant.config("wrong", plant=3, data="d", broker={"password": [plant.secrets["environment"]]})
    plant.run("ingest", "--config", wrong, code=2)
