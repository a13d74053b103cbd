"""Settings, the command's --check and --print-config, and failpoints."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.failpoints import Failpoints
from ingest.settings import IngestSettings
from palier.cli import main
from palier.settings import load_settings
from palier.strict_toml import ConfigError
from tests.host.conftest import Ingest
from tests.support.services import Mosquitto, free_port

MINIMAL = 'plant = "plant.toml"\ndata = "data"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ingest.toml"
    path.write_text(text, encoding="utf-8")
    return path


def palier(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "palier", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


Here = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    """The command line in this process, for what neither logs nor listens: a process costs a second."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(caught.value.code or 0), told.out, told.err)

    return run


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(IngestSettings, written(tmp_path, MINIMAL))
    assert settings.plant == tmp_path / "plant.toml"
    assert settings.data == tmp_path / "data"
    assert (settings.host_id, settings.groups, settings.spectrum_interval_s) == ("palier", (), 86_400.0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('host_id = "a/b"', "a name must match"),
        ('groups = ["a b"]', "a name must match"),
        ("spectrum_interval_s = 0", "spectrum_interval_s"),
        ("waveform_budget_bytes = 1000", "waveform_budget_bytes"),
        ("typo = 1", "typo"),
        ('[broker]\nhost = "10.0.0.5"', "another machine"),
        ('[broker]\nhost = "10.0.0.5"\ntls_ca = "ca.crt"', "takes us without an account"),
        (
            '[broker]\nhost = "10.0.0.5"\ntls_ca = "ca.crt"\nusername = "ingest"',
            "takes us without an account",
        ),
        ('[historian]\nurl = "http://influx.plant:8086"', "influx.plant is another machine"),
        ('[historian]\nurl = "http://me:geheim@127.0.0.1:8086"', "without an account"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_settings(IngestSettings, written(tmp_path, MINIMAL + line + "\n"))
    assert "ingest.toml:" in str(caught.value)


def test_what_is_not_secure_elsewhere_is_somebody_s_decision(tmp_path: Path, here: Here) -> None:
    elsewhere = MINIMAL + '[broker]\nhost = "10.0.0.5"\n'
    assert load_settings(IngestSettings, written(tmp_path, elsewhere + "insecure = true\n")).broker.insecure
    path = written(tmp_path, elsewhere)
    assert load_settings(IngestSettings, path, insecure=True).broker.insecure
    refused = here("ingest", "--config", str(path), "--print-config")
    assert refused.returncode == 2
    taken = here("ingest", "--config", str(path), "--print-config", "--insecure")
    assert (taken.returncode, "insecure = true" in taken.stdout) == (0, True)
    tls = elsewhere + 'tls_ca = "ca.crt"\nusername = "ingest"\npassword_file = "ingest"\n'
    assert not load_settings(IngestSettings, written(tmp_path, tls)).broker.insecure
    plain = MINIMAL + '[historian]\nurl = "http://influx.plant:8086"\ninsecure = true\n'
    assert load_settings(IngestSettings, written(tmp_path, plain)).historian.url is not None


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_INGEST_BROKER__PORT", "2883")
    assert load_settings(IngestSettings, written(tmp_path, MINIMAL)).broker.port == 2883


def test_print_config_masks_secrets(tmp_path: Path, here: Here) -> None:
    path = written(tmp_path, MINIMAL + '[broker]\nusername = "ingest"\npassword = "hunter2"\n')
    run = here("ingest", "--config", str(path), "--print-config")
    assert run.returncode == 0
    assert "hunter2" not in run.stdout + run.stderr
    assert 'username = "ingest"' in run.stdout


def test_check_says_what_works(mosquitto: Mosquitto, ingest: Ingest) -> None:
    run = palier("ingest", "--config", str(ingest.config), "--check")
    assert run.returncode == 0, run.stderr
    assert "usine, 3 machines" in run.stdout
    assert not ingest.data.path.exists()


def test_check_says_what_does_not(tmp_path: Path, plant_file: Path, here: Here) -> None:
    port = free_port()
    path = written(tmp_path, f'plant = "{plant_file}"\ndata = "data"\n[broker]\nport = {port}\n')
    run = here("ingest", "--config", str(path), "--check")
    assert run.returncode == 1
    assert "nothing listens there" in run.stderr


def test_a_plant_that_is_wrong_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("[site]\nid = 3\n", encoding="utf-8")
    run = palier("ingest", "--config", str(written(tmp_path, MINIMAL)))
    assert run.returncode == 2
    assert "plant.toml:" in run.stderr


# Failpoints ------------------------------------------------------------------------------------------------


def test_failpoints_are_none_without_the_variable() -> None:
    slept: list[float] = []
    points = Failpoints.from_environment({})
    points._sleep = slept.append
    points.reach("before_records")
    assert slept == []


def test_a_failpoint_sleeps_at_its_place_only() -> None:
    slept: list[float] = []
    points = Failpoints.parse("before_records:sleep=30,before_series:sleep=0.5")
    points._sleep = slept.append
    for place in ("before_waveforms", "before_series", "before_records", "before_acknowledgement"):
        points.reach(place)
    assert slept == [0.5, 30.0]


@pytest.mark.parametrize(
    "text", ["nowhere:sleep=1", "before_records", "before_records:burn=1", "before_records:sleep=x"]
)
def test_a_failpoint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Failpoints.parse(text)
