"""What a set-up says of accounts: whose password changed, who may not do what, a server that asks nobody."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.check import historian_answers
from palier import extras
from palier.commands.historian import historian
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import READER, WRITER, set_up_1
from palier.historian.opening import HistorianSettings
from tests.support.influx_v2_stub import ADMIN_TOKEN, running_v2_stub
from tests.support.influxd import ADMIN, Influxd

PASSWORDS = {WRITER: "writer", READER: "reader"}
CAN_ONLY_READ = "this account can only read; the ingest needs the writer's"


def set_up(url: str, folder: Path, *more: str, admin: str = ADMIN[1], reader: str = "r") -> tuple[int, str]:
    """(exit code, what is said) of the command with three password files."""
    for name, text in (("admin", admin), ("writer", "w"), ("reader", reader)):
        (folder / name).write_text(text)
    files = [f"--{name}-password-file={folder / name}" for name in ("admin", "writer", "reader")]
    done = CliRunner().invoke(historian, ["setup", "--url", url, "--admin-user", ADMIN[0], *files, *more])
    return done.exit_code, f"{done.output}{done.exception or ''}"


@pytest.fixture
def database(influxd: Influxd) -> str:
    """Both databases and accounts, made new."""
    name = f"t{uuid.uuid4().hex}"
    for user in PASSWORDS:
        influxd.query(f"DROP USER {user}")
    server = Server(influxd.url, Account(*ADMIN))
    set_up_1(server, name, PASSWORDS, Account(*ADMIN))
    server.close()
    return name


def settings(influxd: Influxd, database: str, account: str) -> HistorianSettings:
    return HistorianSettings(
        url=influxd.url, database=database, username=account, password=PASSWORDS[account]
    )


def test_the_check_takes_the_writer_and_writes_nothing(influxd: Influxd, database: str) -> None:
    assert historian_answers(settings(influxd, database, WRITER)) is None
    assert "series" not in influxd.query("SHOW SERIES", database)[1]


@pytest.mark.parametrize("least", ["palier", "hourly"])
def test_the_check_refuses_who_can_only_read(influxd: Influxd, database: str, least: str) -> None:
    if least == "palier":
        assert historian_answers(settings(influxd, database, READER)) == CAN_ONLY_READ
        return
    influxd.query(f'GRANT READ ON "{database}_hourly" TO {WRITER}')
    assert historian_answers(settings(influxd, database, WRITER)) == CAN_ONLY_READ


def test_the_check_of_a_2_looks_whether_the_token_may_write() -> None:
    with running_v2_stub() as stub:
        stub.tokens |= {
            "reader": {"read:palier", "read:palier_hourly"},
            "writer": {f"{may}:palier{which}" for may in ("read", "write") for which in ("", "_hourly")},
        }
        found = [
            historian_answers(HistorianSettings(url=stub.url, org="palier", token=token))
            for token in ("reader", "writer")
        ]
    assert found == [CAN_ONLY_READ, None]


def test_a_password_that_changes_is_told_and_one_that_stays_is_not(
    influxd: Influxd, database: str, tmp_path: Path
) -> None:
    more = ("--database", database)
    assert set_up(influxd.url, tmp_path, *more)[0] == 0
    code, said = set_up(influxd.url, tmp_path, *more)
    assert (code, "changed" in said) == (0, False)
    code, said = set_up(influxd.url, tmp_path, *more, reader="another")
    assert code == 0
    assert f"password of {READER} changed" in said
    assert f"password of {WRITER} changed" not in said
    code, said = set_up(influxd.url, tmp_path, *more, "--json", reader="third")
    assert json.loads(said)["passwords_changed"] == [READER]


def test_a_server_that_asks_nobody_is_told_and_the_second_run_makes_it_right(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    server = Influxd(tmp_path / "open", settings={"INFLUXDB_HTTP_AUTH_ENABLED": "false"})
    server.start(administrator=False)
    try:
        code, said = set_up(server.url, tmp_path)
        assert "palier_hourly" in server.query("SHOW DATABASES", account=None)[1]
        server.kill()
        server.settings = {}
        server.start(administrator=False)
        second, said_then = set_up(server.url, tmp_path)
    finally:
        server.kill()
    assert code == 1
    assert "asks nobody for a password: set auth-enabled = true under [http] in influxdb.conf" in said
    assert (second, "asks nobody" in said_then) == (0, False), said_then


def test_a_wrong_administrator_is_told_by_its_options(influxd: Influxd, tmp_path: Path) -> None:
    code, said = set_up(influxd.url, tmp_path, admin="wrong")
    assert code == 1
    assert "check --admin-user and --admin-password-file" in said
    assert "palier historian setup" not in said


def with_tokens(url: str, folder: Path) -> str:
    (folder / "admin").write_text(ADMIN_TOKEN)
    files = [f"--{who}-token-file={folder / who}" for who in ("admin", "writer", "reader")]
    done = CliRunner().invoke(historian, ["setup", "--url", url, *files])
    assert done.exit_code != 0
    return f"{done.output}{done.exception or ''}"


def test_options_of_the_other_generation_are_told(influxd: Influxd, tmp_path: Path) -> None:
    said = with_tokens(influxd.url, tmp_path)
    assert re.search(r"this is InfluxDB 1\.\S+: give --admin-password-file, ", said)
    with running_v2_stub() as stub:
        assert "this is InfluxDB 2.9.1: give --admin-token-file, " in set_up(stub.url, tmp_path)[1]


def test_a_ca_file_that_is_not_there_is_told_by_its_option(influxd: Influxd, tmp_path: Path) -> None:
    said = set_up(influxd.url, tmp_path, f"--ca-file={tmp_path / 'none'}")[1]
    assert "--ca-file must be a file" in said


def test_without_the_client_the_set_up_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    code, said = set_up("http://127.0.0.1:9", tmp_path)
    assert code == 1
    assert "which is not installed: pip install '.[influx]'" in said
