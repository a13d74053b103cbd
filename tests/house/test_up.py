"""`make up`: deploy/up.sh as it is; the `docker` on PATH notes what it is asked, and provisions on demand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

DOCKER = f"""#!/bin/sh
echo "$*" >>calls
case "$*" in
*" provision "*)
  if ! [ -e for_real ]; then touch deploy/provision/provision.json && exit; fi
  while [ "$1" != provision ]; do shift; done
  shift
  exec {sys.executable} -P -m palier provision deploy/provision --plant deploy/compose/plant.toml "$@" ;;
"compose ps --services --status running") cat running ;;
esac
"""

BUILD = "compose build --quiet volumes"
RUNNING = "compose ps --services --status running"
SIGNAL = "compose exec -T broker sh -c kill -HUP 1"
START = "compose up --detach --build --wait"
ME = os.geteuid() or 10001


@dataclass
class Checkout:
    """A copy of what up.sh needs, and an engine that is none."""

    folder: Path

    def __post_init__(self) -> None:
        shutil.copytree(
            DEPLOY, self.folder / "deploy", ignore=shutil.ignore_patterns("provision", "plant.toml")
        )
        samples = self.folder / "palier" / "samples"
        samples.mkdir(parents=True)
        shutil.copy(ROOT / "palier" / "samples" / "plant.toml", samples)
        shutil.copy(ROOT / ".env.example", self.folder)
        (self.folder / "bin").mkdir()
        docker = self.folder / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        (self.folder / "running").touch()

    def provision_for_real(self) -> None:
        (self.folder / "for_real").touch()

    def up(self) -> subprocess.CompletedProcess[str]:
        (self.folder / "calls").unlink(missing_ok=True)
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            ["sh", "deploy/up.sh"], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )

    @property
    def calls(self) -> list[str]:
        """What the engine was asked after `compose version`, without the arguments of `provision`."""
        version, *calls = (self.folder / "calls").read_text().splitlines()
        assert version == "compose version"
        return calls

    def env(self, **settings: str) -> None:
        """Set what stands in .env."""
        file = self.folder / ".env"
        text = file.read_text()
        for name, value in settings.items():
            text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert count == 1, name
        file.write_text(text)

    @property
    def plant(self) -> Path:
        return self.folder / "deploy" / "compose" / "plant.toml"

    @property
    def secrets(self) -> Path:
        return self.folder / "deploy" / "provision"


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def edited(fresh: Checkout) -> Checkout:
    """With .env and a plant of its own, as somebody leaves them before the second `make up`."""
    shutil.copy(fresh.folder / ".env.example", fresh.folder / ".env")
    # Not the image's user where root runs the tests: `palier provision` runs as the owner of its folder.
    fresh.env(PALIER_HOSTS="broker.example.org", PALIER_UID=str(os.geteuid()), PALIER_GID=str(os.getegid()))
    shutil.copy(fresh.folder / "palier" / "samples" / "plant.toml", fresh.plant)
    return fresh


def provisioned(*arguments: str) -> str:
    return " ".join(("compose run --rm --no-deps provision", *arguments))


def test_the_first_run_makes_settings_and_plant_and_stops(fresh: Checkout) -> None:
    done = fresh.up()
    assert done.returncode == 1
    assert "edit .env and deploy/compose/plant.toml, then run make up again" in done.stderr
    assert fresh.calls == []
    assert not fresh.secrets.exists()
    assert fresh.plant.stat().st_mode & 0o777 == 0o644


def test_an_env_without_a_plant_is_stopped_at_too(edited: Checkout) -> None:
    edited.plant.unlink()
    assert edited.up().returncode == 1
    assert edited.calls == []
    assert not edited.secrets.exists()


def test_the_second_run_provisions_and_starts(edited: Checkout) -> None:
    edited.provision_for_real()
    done = edited.up()
    assert done.returncode == 0, done.stderr
    assert edited.calls == [BUILD, provisioned("--host broker.example.org"), RUNNING, START]
    assert edited.secrets.stat().st_mode & 0o777 == 0o700


def test_an_env_that_was_copied_is_given_its_user_in_its_place(edited: Checkout) -> None:
    edited.env(PALIER_UID="", PALIER_GID="")
    edited.up()
    text = (edited.folder / ".env").read_text()
    assert f"\nPALIER_UID={ME}\nPALIER_GID={os.getegid() or 10001}\n" in text
    before = (edited.folder / ".env.example").read_text()
    assert len(text.splitlines()) == len(before.splitlines())


def test_a_user_that_is_given_stays(edited: Checkout) -> None:
    edited.env(PALIER_UID="4711", PALIER_GID="4712")
    text = (edited.folder / ".env").read_text()
    edited.up()
    assert (edited.folder / ".env").read_text() == text


def test_settings_that_were_changed_reach_a_running_host(edited: Checkout) -> None:
    edited.provision_for_real()
    edited.up()
    edited.env(PALIER_HOSTS='"broker.example.org 192.0.2.7"', COMPOSE_PROFILES="demo")
    (edited.folder / "running").write_text("broker\ningest\nconsole\n")
    done = edited.up()
    assert done.returncode == 0, done.stderr
    wanted = provisioned("--host broker.example.org --host 192.0.2.7 --gateway demo")
    assert edited.calls == [BUILD, wanted, RUNNING, SIGNAL, START]
    assert (edited.secrets / "gateways" / "demo" / "password").exists()
    assert "broker/server.crt" in done.stdout


def test_a_plant_that_was_changed_is_read_anew(edited: Checkout) -> None:
    edited.up()
    (edited.folder / "running").write_text("broker\ningest\nconsole\n")
    edited.plant.write_text(edited.plant.read_text() + "# a remark\n")
    edited.up()
    assert edited.calls[-4:] == [SIGNAL, "compose restart ingest", "compose restart console", START]
    edited.up()
    assert edited.calls[-2:] == [SIGNAL, START]


def test_the_plant_of_another_site_is_refused_before_anything_is_touched(edited: Checkout) -> None:
    edited.provision_for_real()
    edited.up()
    edited.plant.write_text(edited.plant.read_text().replace('id = "khouribga"', 'id = "elsewhere"', 1))
    done = edited.up()
    assert done.returncode != 0
    assert "each site has a folder of its own" in " ".join(done.stderr.split())
    assert edited.calls == [BUILD, provisioned("--host broker.example.org")]


def test_secrets_are_not_made_anew(edited: Checkout) -> None:
    edited.provision_for_real()
    edited.up()
    before = {file: file.read_bytes() for file in sorted(edited.secrets.rglob("*")) if file.is_file()}
    assert len(before) > 10
    done = edited.up()
    assert "nothing was missing" in done.stdout
    assert all(file.read_bytes() == text for file, text in before.items())


def test_without_an_engine_it_says_what_is_needed(edited: Checkout) -> None:
    (edited.folder / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")
    done = edited.up()
    assert done.returncode == 1
    assert "needs Docker with its compose plugin" in done.stderr
