"""`palier grafana push` called in this process against a stub, with two small dashboards."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.main import get_command
from typer.testing import CliRunner

import dashboards.grafana.command as command_module
from palier.options import CommandError
from tests.support.grafana_stub import TOKEN, GrafanaStub
from tests.support.services import program

BOARDS = {
    "machine.json": {"uid": "palier-machine", "title": "Machine", "schemaVersion": 42, "panels": [{"id": 1}]},
    "usine.json": {"uid": "palier-usine", "title": "Vue d'usine", "schemaVersion": 42, "panels": []},
}
READER_TOKEN = "reader-token-of-2x"
READER_PASSWORD = "reader-password-of-1x"


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def actions(self) -> dict[str, str]:
        """The action of each step of a run with --json."""
        return {step["name"]: step["action"] for step in self.json["steps"]}

    @property
    def json(self) -> dict[str, Any]:
        """The object of a run with --json."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


_made = cache(get_command)
"""A command line is made of its app once: reading all its options takes as long as most runs."""


def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """Call `palier grafana ...` as the command line does, errors as exit code and sentence."""
    # No proxy of the machine that runs the tests comes between.
    environment = {"NO_PROXY": "*", "no_proxy": "*", **(env or {})}
    with patch("typer.testing._get_command", _made):
        done = CliRunner().invoke(command_module.grafana, [*arguments], env=environment)
    if isinstance(done.exception, CommandError):
        return Ran(done.exception.exit_code, done.stdout, f"{done.stderr}{done.exception}")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


class Pusher:
    """Pushes into one stub; files with secrets and dashboards are in a folder of its own."""

    def __init__(self, stub: GrafanaStub, folder: Path) -> None:
        self.stub, self.folder = stub, folder
        self.generated = folder / "generated"
        self.write(BOARDS)
        self.token_file = self.file("grafana-token", TOKEN + "\n")

    def file(self, name: str, text: str) -> Path:
        """A file of the test's folder."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def write(self, boards: Mapping[str, Mapping[str, Any]], lang: str = "fr") -> None:
        """The generated files of one language."""
        (self.generated / lang).mkdir(parents=True, exist_ok=True)
        for name, body in boards.items():
            (self.generated / lang / name).write_text(json.dumps(body), "utf-8")

    @property
    def boards(self) -> tuple[str, str]:
        """The option of the dashboards."""
        return ("--dashboards", str(self.generated))

    @property
    def with_2x(self) -> tuple[str, ...]:
        """Options of the data sources for a token."""
        file = self.file("reader-token", READER_TOKEN)
        return ("--influx-url", "http://influx:8086", "--reader-token-file", str(file))

    @property
    def with_1x(self) -> tuple[str, ...]:
        """Options of the data sources for an account."""
        file = self.file("reader-password", READER_PASSWORD)
        account = ("--reader-user", "palier_reader", "--reader-password-file", str(file))
        return ("--influx-url", "http://influx:8086", *account)

    def push(self, *options: str) -> Ran:
        """`palier grafana push` into the stub."""
        return run(
            "push", "--url", self.stub.url, "--token-file", str(self.token_file), *self.boards, *options
        )


def server_certificate(folder: Path, name: str = "IP:127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context with a certificate that signs itself, and that certificate's file."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        [
            *(
                str(program("openssl")),
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ),
            *("-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"),
            *("-subj", "/CN=stub", "-addext", f"subjectAltName={name}"),
        ],
        check=True,
        capture_output=True,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
