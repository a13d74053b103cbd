"""`palier console`: settings, --check, --print-config, serving and stopping."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dashboards.console.account_file import AccountFile
from dashboards.console.command import build, console
from dashboards.console.settings import ConsoleSettings
from palier.options import CommandError
from palier.plant import sample_plant_path
from palier.settings import load_settings
from palier.strict_toml import ConfigError
from tests.support.alarm_seeding import seeded_alarms
from tests.support.page_people import made_accounts
from tests.support.page_server import page_client
from tests.support.seeding import seeded_plant
from tests.support.services import answers, free_port
from tests.support.waiting import eventually


def config(folder: Path, more: str = "") -> Path:
    path = folder / "console.toml"
    path.write_text(f'plant = "{sample_plant_path()}"\ndata = "{folder}"\n{more}', "utf-8")
    return path


def test_the_page_listens_on_loopback_unless_somebody_decides_otherwise(tmp_path: Path) -> None:
    assert load_settings(ConsoleSettings, config(tmp_path)).host == "127.0.0.1"
    for more, sentence in (
        ("", r"no accounts.*palier user add NAME --role engineer --accounts"),
        ("insecure = true", "no accounts"),
        ('accounts = "a"', r"in clear.*tls_cert and tls_key.*behind_proxy.*insecure = true"),
        ('accounts = "a"\ntls_cert = "c"', "both be given"),
        ('accounts = "a"\ninsecure = true\nbehind_proxy = true', r"must be 127\.0\.0\.1.*comes from: proxy"),
        ('accounts = "a"\ninsecure = true\nbehind_proxy = true\nproxy = "0.0.0.0/0"', "proxy must be"),
        ('accounts = "a"\ninsecure = true\nbehind_proxy = true\nproxy = "front"', "proxy must be"),
        ('accounts = "a"\ninsecure = true\nproxy = "172.18.0.1"', "needs behind_proxy = true"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            load_settings(ConsoleSettings, config(tmp_path, f'host = "0.0.0.0"\n{more}'))
    for more in ('tls_cert = "c"\ntls_key = "k"', "insecure = true"):
        opened = load_settings(ConsoleSettings, config(tmp_path, f'host = "0.0.0.0"\naccounts = "a"\n{more}'))
        assert (opened.host, opened.accounts) == ("0.0.0.0", tmp_path / "a")
    with pytest.raises(ConfigError, match="a training has no accounts"):
        load_settings(ConsoleSettings, config(tmp_path, 'training = "t"\naccounts = "a"'))


def test_a_page_whose_accounts_are_missing_or_empty_does_not_start(tmp_path: Path) -> None:
    more = f'host = "0.0.0.0"\naccounts = "{tmp_path / "who.sqlite"}"\ninsecure = true'
    remedy = f"palier user add NAME --role engineer --accounts {tmp_path / 'who.sqlite'}"
    settings = load_settings(ConsoleSettings, config(tmp_path, more))
    with pytest.raises(CommandError, match=re.escape(remedy)):
        build(settings)
    file = tmp_path / "who.sqlite"
    AccountFile.create(file).close()
    file.chmod(0o644)
    with pytest.raises(CommandError, match=r"chmod 600 [^ ]*$"):  # and not that an account is missing
        build(settings)
    file.chmod(0o600)
    with pytest.raises(CommandError, match="holds no engineer.*" + re.escape(remedy)):
        build(settings)


def test_a_certificate_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    made_accounts(tmp_path / "who.sqlite")
    (tmp_path / "c.pem").write_text("no certificate")
    files = f'accounts = "who.sqlite"\ntls_cert = "{tmp_path / "c.pem"}"\ntls_key = "{tmp_path / "c.pem"}"'
    with pytest.raises(CommandError, match="certificate and its private key in PEM"):
        console(config(tmp_path, f"port = 0\n{files}"))


@pytest.mark.parametrize(
    ("more", "forms", "word"),
    [
        ("[broker]\nport = 1884", 6, "Pour agir"),
        ("", 0, "[broker]"),
    ],
    ids=["broker", "no broker"],
)
def test_people_act_only_where_a_broker_is_given_and_the_page_is_this_computers(
    tmp_path: Path, more: str, forms: int, word: str
) -> None:
    seeded_alarms(tmp_path)
    with page_client(build(load_settings(ConsoleSettings, config(tmp_path, more)))) as client:
        html = client.get("/alarm/P-101/2/vibration").text
    assert html.count('action="/act"') == forms
    assert word in html


def test_a_password_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    path = config(tmp_path, '[broker]\nusername = "console"\npassword_file = "none"')
    with pytest.raises(ConfigError, match="none: can't be read"):
        build(load_settings(ConsoleSettings, path))


def test_a_wrong_key_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"console\.toml:3: unknown key 'prot'"):
        load_settings(ConsoleSettings, config(tmp_path, "prot = 1"))


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_CONSOLE_PORT", "8181")
    assert load_settings(ConsoleSettings, config(tmp_path, "port = 9")).port == 8181


def test_print_config_prints_settings_that_can_be_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console(config(tmp_path, 'lang = "ar"'), print_config=True)
    printed = tmp_path / "printed.toml"
    printed.write_text(capsys.readouterr().out, "utf-8")
    assert load_settings(ConsoleSettings, printed).lang == "ar"


def test_check_accepts_a_historian_that_is_not_there_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console(config(tmp_path), check=True)
    assert "does not exist yet" in capsys.readouterr().out
    seeded_plant(tmp_path)
    console(config(tmp_path), check=True)
    assert "can be read" in capsys.readouterr().out


def test_check_refuses_a_file_that_is_no_historian(tmp_path: Path) -> None:
    (tmp_path / "historian.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(CommandError):
        console(config(tmp_path), check=True)


def test_a_plant_with_a_mistake_is_refused_with_its_line(tmp_path: Path) -> None:
    path = config(tmp_path)
    broken = tmp_path / "plant.toml"
    broken.write_text('[site]\nid = "a b"\n', "utf-8")
    path.write_text(f'plant = "{broken}"\ndata = "{tmp_path}"\n', "utf-8")
    with pytest.raises(ConfigError, match=r"plant\.toml:2"):
        console(path, check=True)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_service_serves_and_ends_with_an_open_stream(tmp_path: Path, stop: signal.Signals) -> None:
    seeded_plant(tmp_path)
    port = free_port()
    command = [sys.executable, "-P", "-m", "palier", "console", "--config"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(config(tmp_path, f"port = {port}"))], stderr=log, stdout=log
        )
    try:
        eventually(lambda: answers(port) or process.poll() is not None, 90, "the page")
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
            client.stream("GET", "/events") as answer,
        ):
            next(answer.iter_lines())
            process.send_signal(stop)
            assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    text = (tmp_path / "log").read_text()
    assert f"http://127.0.0.1:{port}/" in text
    assert "Traceback" not in text


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {port}"):
            console(config(tmp_path, f"port = {port}"))


def test_check_says_what_is_wrong_with_the_url_of_the_historian(tmp_path: Path) -> None:
    for url, sentence in (
        ("http://:8086", "must be http"),
        ("http://me:secret@h:8086", "without an account"),
    ):
        with pytest.raises((CommandError, ConfigError), match=sentence) as raised:
            console(config(tmp_path, f'[historian]\nurl = "{url}"\n'), check=True)
        assert "secret" not in str(raised.value)


def test_an_account_whose_file_is_missing_is_the_configurations_mistake(tmp_path: Path) -> None:
    more = '[historian]\nurl = "http://127.0.0.1:9"\nusername = "u"\npassword_file = "absent"\n'
    settings = load_settings(ConsoleSettings, config(tmp_path, more))
    with pytest.raises(ConfigError, match=r"absent: password_file in \[historian\] must be a file"):
        build(settings)


def test_an_account_whose_file_went_away_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("x")
    more = '[historian]\nurl = "http://127.0.0.1:9"\nusername = "u"\npassword_file = "word"\n'
    application = build(load_settings(ConsoleSettings, config(tmp_path, more)))
    (tmp_path / "word").unlink()
    with page_client(application) as client:
        assert client.get("/readyz").status_code == 503
        assert client.get("/").status_code == 200


def test_without_the_client_of_an_influxdb_the_page_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(ConsoleSettings, config(tmp_path, '[historian]\nurl = "http://127.0.0.1:9"\n'))
    monkeypatch.setattr("palier.extras.find_spec", lambda _: None)
    with pytest.raises(CommandError, match=r"not installed: pip install '\.\[influx\]'"):
        build(settings)
