"""The compose file brought up with stand-ins: what the test does with it, and what it can ask of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from engine import ROOT, Failed, run, until

PROJECT = "palier-test"
SERVICES = ("broker", "influxdb", "ingest", "console", "agent")
READY_S = 180.0


class PlantHost:
    """The services of docker-compose.yml in a project of its own; plant, secrets, backups are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "provision"
        self.page = _free_port()
        self.env = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": "docker-compose.yml:docker-compose.test.yml",
            "COMPOSE_PROFILES": "demo",
            "PALIER_UID": str(os.geteuid() or 10001),
            "PALIER_GID": str(os.getegid() or 10001),
            "PALIER_HOSTS": "localhost",
            "PALIER_PLANT": str(folder / "plant.toml"),
            "PALIER_PROVISION": str(self.secrets),
            "PALIER_MQTT_ADDRESS": "127.0.0.1",
            "PALIER_MQTT_PORT": str(_free_port()),
            "PALIER_PAGE_PORT": str(self.page),
        }

    def script(self, name: str, *arguments: str) -> str:
        """Run a script of deploy/ as an operator would."""
        return run(str(ROOT / "deploy" / name), *arguments, env=self.env)

    def compose(self, *arguments: str, stdin: str | None = None, may_fail: bool = False) -> str:
        """Run docker compose in this project."""
        return run("docker", "compose", *arguments, env=self.env, stdin=stdin, may_fail=may_fail)

    def refused(self, name: str, *arguments: str) -> bool:
        """Whether a script of deploy/ ends with an error."""
        command = [str(ROOT / "deploy" / name), *arguments]
        return bool(subprocess.run(command, env=self.env, capture_output=True, check=False).returncode)

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        found: list[dict[str, Any]] = json.loads(run("docker", "inspect", container))
        return found[0]

    def is_healthy(self, service: str) -> bool:
        """Whether its health check passed last."""
        state = self.inspect(service)["State"]
        return bool(state["Running"]) and state.get("Health", {}).get("Status") == "healthy"

    def crash(self, service: str) -> None:
        """kill -9, as a crash and not as a wish: the engine starts it again by itself. Raises Failed."""
        before = self.inspect(service)
        os.kill(before["State"]["Pid"], signal.SIGKILL)

        def came_back() -> bool:
            now = self.inspect(service)
            return bool(now["RestartCount"] > before["RestartCount"] and now["State"]["Running"])

        until(came_back, 30, f"{service} started again")

    def influx(self, query: str, *, user: str = "palier_reader", database: str = "palier") -> list[Any]:
        """The series that InfluxDB answers with, asked from within its own network. Raises Failed."""
        role = user.removeprefix("palier_")
        password = (self.secrets / "secrets" / f"influx_{role}_password").read_text()
        asked = (
            *("exec", "-T", "influxdb", "curl", "-sS", "-G", "-K", "-", "http://localhost:8086/query"),
            *("--data-urlencode", f"db={database}", "--data-urlencode", f"q={query}"),
        )
        answer = json.loads(self.compose(*asked, stdin=f'user = "{user}:{password}"\n'))
        result = answer["results"][0] if "results" in answer else answer
        if "error" in result:
            raise Failed(f"InfluxDB refuses {query!r} of {user}: {result['error']}")
        return list(result.get("series", []))

    def rows(self) -> int:
        """How many rows of features the reader's account sees; 0 while the server does not answer."""
        try:
            series = self.influx("SELECT count(frame) FROM feature")
        except (Failed, json.JSONDecodeError):
            return 0
        return int(series[0]["values"][0][1]) if series else 0

    def ledger(self) -> list[dict[str, Any]]:
        """The lines of `palier ledger`."""
        command = ("exec", "-T", "ingest", "palier", "ledger", "--data", "/var/lib/palier", "--json")
        text = self.compose(*command, may_fail=True)  # it ends with 1 when something does not add up
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def page_answers(self) -> bool:
        """Whether the page is served on the host's loopback."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def answers_as(self, name: str) -> bool:
        """Whether the broker's certificate, as a gateway is shown it, holds this name."""
        context = ssl.create_default_context(cafile=str(self.secrets / "ca.crt"))
        address = ("127.0.0.1", int(self.env["PALIER_MQTT_PORT"]))
        try:
            with socket.create_connection(address, 5) as plain:
                context.wrap_socket(plain, server_hostname=name).close()
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Take everything down, volumes and all."""
        self.env["COMPOSE_PROFILES"] = "demo,tools"
        self.compose("down", "--volumes", "--remove-orphans", may_fail=True)


def work_folder() -> Path:
    """Where engine and images are kept between two runs."""
    home = os.environ.get("PALIER_COMPOSE_TEST_HOME")
    folder = Path(home) if home else Path(tempfile.gettempdir()) / "palier-compose-test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
