"""The command: what it prints, its exit codes, and that no secret leaves its file."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from palier.commands.provision import provision
from palier.options import CommandError
from palier.plant import PlantError, sample_plant_path
from palier.provision.certificates import issue_authority
from tests.support.commands import app_of

APP = app_of(provision)
PLANT = ("--plant", str(sample_plant_path()))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def refused(*arguments: object) -> CommandError:
    error = run(*arguments).exception
    assert isinstance(error, CommandError), error
    return error


def test_it_tells_what_it_made_and_until_when(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    result = run(folder, *PLANT, "--gateway", "gw-1", "--host", "broker.example.org", "--days", "400")
    assert result.exit_code == 0, result.exception
    assert "made     gateways/gw-1/password" in result.output
    assert "ok       broker/server.crt: until " in result.output
    assert "broker.example.org, localhost" in result.output
    assert "spBv1.0/khouribga/NDATA/gw-1" in (folder / "broker/acl").read_text()
    again = run(folder)
    assert again.output.startswith("nothing was missing\nok       ca.crt")
    assert run(folder, "--quiet").output == ""


ON_THEMSELVES = "gateways will look for the broker on themselves: give --host NAME\n"


def test_gateways_without_a_host_are_told_of(tmp_path: Path) -> None:
    result = run(tmp_path / "made", *PLANT, "--gateway", "gw-1")
    assert result.exit_code == 0
    assert result.stderr == ON_THEMSELVES
    assert 'host = "localhost"' in (tmp_path / "made/gateways/gw-1/broker.toml").read_text()
    named = run(tmp_path / "made", "--host", "broker.example.org")
    assert named.stderr == ""
    assert 'host = "broker.example.org"' in (tmp_path / "made/gateways/gw-1/broker.toml").read_text()
    assert run(tmp_path / "made", "--gateway", "gw-2").stderr == ""


def test_a_broker_on_the_gateway_itself_is_told_by_its_name(tmp_path: Path) -> None:
    assert run(tmp_path / "made", *PLANT, "--gateway", "gw-1", "--host", "localhost").stderr == ""


def test_check_lists_every_file_and_fails_when_one_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    run(folder, *PLANT)
    good = run(folder, "--check", *PLANT)
    assert good.exit_code == 0
    assert "ok       secrets/influx_writer_token\n" in good.output
    assert run(folder, "--check", "--quiet").output == ""
    (folder / "secrets/influx_writer_token").unlink()
    bad = run(folder, "--check", "--quiet")
    assert (bad.exit_code, bad.output) == (
        1,
        "missing  secrets/influx_writer_token: run `palier provision` again\n",
    )


def test_check_fails_when_a_certificate_has_expired(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    run(folder, *PLANT)
    key = (folder / "authority/ca.key").read_bytes()
    long_ago = datetime.fromisoformat("2001-01-01T00:00:00Z")
    (folder / "ca.crt").write_bytes(issue_authority(key, "khouribga", long_ago))
    result = run(folder, "--check", "--quiet")
    assert result.exit_code == 1
    assert "expired  ca.crt: since 2020-12-27: `palier provision" in result.output
    assert run(folder).exit_code == 1  # what can't work is not done
    assert run(folder, "--renew", "authority").exit_code == 0


def test_json_is_one_object_for_programs(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    made = json.loads(run(folder, *PLANT, "--gateway", "gw-1", "--json").stdout)
    assert (made["ok"], made["site"], made["host_id"], made["gateways"]) == (
        True,
        "khouribga",
        "palier",
        ["gw-1"],
    )
    assert {"file": "ca.crt", "did": "made"} in made["changes"]
    told = json.loads(run(folder, "--check", "--json").output)
    until = {file["file"]: file["not_after"] for file in told["files"]}
    assert datetime.fromisoformat(until["broker/server.crt"]).tzinfo is not None
    assert until["broker/acl"] is None


def test_wrong_usage_is_told_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert refused(folder).exit_code == 2
    assert refused(folder, *PLANT, "--gateway", "a/b").exit_code == 2
    assert refused(folder, *PLANT, "--host", "*").exit_code == 2
    assert refused(folder / "below", *PLANT).exit_code == 2
    assert refused(folder, "--check").exit_code == 1
    assert "--check changes nothing" in str(refused(folder, "--check", "--gateway", "gw-1"))
    assert isinstance(run(folder, "--plant", tmp_path / "none.toml").exception, PlantError)
    assert not folder.exists()


def test_no_secret_is_printed_logged_or_in_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "made"
    caplog.set_level(0)
    told = ""
    for options in (
        (*PLANT, "--gateway", "gw-1"),
        ("--gateway", "gw-2", "--json"),
        ("--check",),
        ("--check", "--json"),
    ):
        told += run(folder, *options).output
    secrets = _secrets(folder)
    (folder / "secrets/mqtt_console_password").write_text(secrets[0] + "\n" + secrets[0])
    (folder / "broker/server.key").write_bytes((folder / "authority/ca.key").read_bytes()[:120])
    for options in ((), ("--check",), ("--renew", "server")):
        result = run(folder, *options)
        told += result.output + str(result.exception) + repr(result.exception)
    told += caplog.text
    assert "mqtt_console_password" in told
    assert not [secret for secret in secrets if secret in told]


def _secrets(folder: Path) -> list[str]:
    """All that must stay in its file: secrets, hashes, and each line of each key."""
    files = [*folder.rglob("*_password"), *folder.rglob("*_token"), *folder.rglob("password")]
    secrets = [file.read_text() for file in files]
    for key in folder.rglob("*.key"):
        secrets += [line for line in key.read_text().splitlines() if "-----" not in line]
    secrets += [line.rpartition("$")[2] for line in (folder / "broker/passwords").read_text().splitlines()]
    assert len(secrets) > 20
    return secrets


def test_without_its_library_it_says_how_to_get_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from palier.commands.provision import provision\n"
        "from pathlib import Path\n"
        "try: provision(Path(sys.argv[1]))\n"
        "except Exception as error: print(error)"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", code, tmp_path / "made"], capture_output=True, text=True, check=True
    ).stdout
    assert "needs cryptography, which is not installed: pip install '.[provision]'" in out


def test_a_daily_check_fails_thirty_days_before_a_certificate_ends_and_a_run_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert run(folder, *PLANT, "--days", "32").exit_code == 0
    assert run(folder, "--check").exit_code == 0
    assert run(folder, "--renew", "server", "--days", "29").exit_code == 0
    soon = run(folder, "--check", "--quiet")
    assert soon.exit_code == 1
    assert soon.output.startswith("warning  broker/server.crt: until ")
    assert json.loads(run(folder, "--check", "--json").output)["ok"] is False


def test_passwords_are_rotated_and_gateways_withdrawn_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    run(folder, *PLANT, "--gateway", "gw-1", "--gateway", "gw-2")
    old = (folder / "gateways/gw-1/password").read_text()
    done = run(folder, "--rotate", "gw-1", "--withdraw", "gw-2")
    new = (folder / "gateways/gw-1/password").read_text()
    assert "rotated  gateways/gw-1/password\n" in done.output
    assert "withdrawn gateways/gw-2\n" in done.output
    assert done.output.index("copy gateways/gw-1/password") < done.output.index("then broker/ has changed")
    assert (old == new, old in done.output, new in done.output) == (False, False, False)
    assert refused(folder, "--rotate", "gw-2").exit_code == 2
    assert refused(folder, "--check", "--rotate", "gw-1").exit_code == 2
