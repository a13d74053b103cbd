"""deploy/edge/install.sh below a folder in place of /: installing, again, up, back, and a version that fails.

`python3` on PATH makes environments that hold nothing, and `systemctl` notes what it is asked; the real way,
with packages, is the long test at the end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.settings import load_settings
from palier.provision.making import Wanted, provision

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("deploy/edge", "deploy/systemd", "requirements", "pyproject.toml")

PYTHON = """#!/bin/sh
case "$*" in
"-m venv "*)
  for made; do :; done
  mkdir -p "$made/bin"
  printf '#!/bin/sh\\n[ ! -e "$PIP_FAILS" ]\\n' >"$made/bin/pip"
  printf '#!/bin/sh\\nexit 0\\n' >"$made/bin/python"
  chmod +x "$made/bin/pip" "$made/bin/python" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$1" in restart) [ ! -e "$DESTDIR/opt/palier/current/broken" ] ;; esac
"""
SILENT = "#!/bin/sh\n"


@dataclass
class Card:
    """A gateway's card below a folder, and a checkout to install from."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root, self.checkout = self.folder / "root", self.folder / "checkout"
        self.calls = self.folder / "calls"
        (self.root / "run/systemd/system").mkdir(parents=True)
        for name in SHIPPED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, self.checkout / name)
        (self.checkout / "palier").mkdir()
        self.program("python3", PYTHON)
        self.program("systemctl", SYSTEMCTL)
        self.program("sleep", SILENT)
        self.program("systemd-sysusers", SILENT)
        self.program("udevadm", SILENT)

    def program(self, name: str, text: str) -> None:
        file = self.folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def version(self, number: int) -> None:
        """Another version to install."""
        (self.checkout / "palier" / "version.py").write_text(f"{number}\n")

    def install(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            ["sh", str(self.checkout / "deploy/edge/install.sh"), *arguments],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "DESTDIR": str(self.root),
                "CALLS": str(self.calls),
                "PIP_FAILS": str(self.folder / "pip_fails"),
                **self.environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def link(self, name: str) -> str:
        return str((self.root / "opt/palier" / name).readlink())

    @property
    def asked(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("provisioned")
    wanted = Wanted(site="usine", hosts=("broker.example.org",), gateways=("gw-1",))
    provision(folder, wanted, now=datetime.now(UTC))
    return folder / "gateways/gw-1"


def test_it_installs_a_version_its_unit_its_account_and_its_configuration(
    card: Card, provisioned: Path
) -> None:
    done = card.install("--config", str(provisioned))
    assert done.returncode == 0, done.stderr
    assert (card.root / "opt/palier/current/complete").exists()
    for file in ("palier-agent.service", "palier-agent.service.d/10-devices.conf"):
        assert (card.root / "etc/systemd/system" / file).exists()
    assert (card.root / "etc/udev/rules.d/60-palier.rules").exists()
    assert "u palier " in (card.root / "usr/lib/sysusers.d/palier.conf").read_text()
    assert stat.S_IMODE((card.root / "etc/palier/password").stat().st_mode) == 0o600
    assert card.asked == ["daemon-reload", "enable --quiet palier-agent.service", *STARTED]


STARTED = ["restart palier-agent.service", "is-active --quiet palier-agent.service"]


def test_the_agent_toml_it_writes_lacks_nothing_but_sensors(card: Card, provisioned: Path) -> None:
    card.install("--config", str(provisioned))
    file = card.root / "etc/palier/agent.toml"
    with file.open("a") as text:
        text.write('[[source]]\ntype = "replay"\n')
    settings = load_settings(file)
    assert (settings.edge, settings.host_id, settings.broker.host) == (
        "usine/gw-1",
        "palier",
        "broker.example.org",
    )
    assert settings.data == Path("/var/lib/palier-agent")
    assert str(settings.broker.password_file) == "/run/credentials/palier-agent.service/password"


def test_again_it_changes_nothing_and_does_not_restart(card: Card, provisioned: Path) -> None:
    card.install("--config", str(provisioned))
    before = {f: f.stat().st_mtime_ns for f in card.root.rglob("*") if f.is_file()}
    done = card.install()
    assert (done.returncode, card.asked) == (0, [])
    assert "in use already" in done.stdout
    assert {f: f.stat().st_mtime_ns for f in card.root.rglob("*") if f.is_file()} == before


def test_a_configuration_that_a_person_wrote_stays(card: Card, provisioned: Path) -> None:
    file = card.root / "etc/palier/agent.toml"
    file.parent.mkdir(parents=True)
    file.write_text("# mine\n")
    assert card.install("--config", str(provisioned)).returncode == 0
    assert file.read_text() == "# mine\n"


def test_an_upgrade_keeps_the_version_before_and_returns_to_it(card: Card, provisioned: Path) -> None:
    for number in (1, 2, 3):
        card.version(number)
        assert card.install("--config", str(provisioned)).returncode == 0
    third, second = card.link("current"), card.link("former")
    assert len(list((card.root / "opt/palier/releases").iterdir())) == 2
    done = card.install("--return")
    assert done.returncode == 0, done.stderr
    assert (card.link("current"), card.link("former")) == (second, third)
    assert card.asked[-2:] == STARTED
    assert card.install("--return").returncode == 0
    assert card.link("current") == third


def test_a_version_that_does_not_start_gives_way_to_the_one_before(card: Card, provisioned: Path) -> None:
    card.version(1)
    card.install("--config", str(provisioned))
    first = card.link("current")
    card.version(2)
    card.program("python3", PYTHON.replace("mkdir -p", 'mkdir -p "$made"; : >"$made/broken"; mkdir -p'))
    done = card.install("--config", str(provisioned))
    assert done.returncode == 1
    assert "the version before is in use again" in done.stderr
    assert card.link("current") == first
    assert card.asked[-2:] == STARTED


def test_packages_that_do_not_come_change_nothing(card: Card, provisioned: Path) -> None:
    card.version(1)
    card.install("--config", str(provisioned))
    first = card.link("current")
    card.version(2)
    (card.folder / "pip_fails").touch()
    done = card.install("--config", str(provisioned))
    assert done.returncode == 1
    assert "the packages could not be installed; without a network use a bundle" in done.stderr
    assert (card.link("current"), card.asked) == (first, [])
    assert [f.name for f in (card.root / "opt/palier/releases").iterdir()] == [Path(first).name]


def test_a_version_that_does_not_start_leaves_the_way_back_as_it_was(card: Card, provisioned: Path) -> None:
    for number in (1, 2):
        card.version(number)
        card.install("--config", str(provisioned))
    second, first = card.link("current"), card.link("former")
    card.version(3)
    unit = card.checkout / "deploy/systemd/palier-agent.service"
    unit.write_text(unit.read_text() + "# new\n")
    card.program("python3", PYTHON.replace("mkdir -p", 'mkdir -p "$made"; : >"$made/broken"; mkdir -p'))
    assert card.install().returncode == 1
    assert (card.link("current"), card.link("former")) == (second, first)
    assert "# new" not in (card.root / "etc/systemd/system/palier-agent.service").read_text()


def test_the_way_back_takes_the_unit_of_that_version(card: Card, provisioned: Path) -> None:
    unit = card.checkout / "deploy/systemd/palier-agent.service"
    card.install("--config", str(provisioned))
    unit.write_text(unit.read_text() + "# new\n")
    installed = card.root / "etc/systemd/system/palier-agent.service"
    assert card.install().returncode == 0
    assert "# new" in installed.read_text()
    assert card.install("--return").returncode == 0
    assert "# new" not in installed.read_text()
    assert card.asked == ["daemon-reload", "enable --quiet palier-agent.service", *STARTED]


@pytest.mark.parametrize("moment", ["daemon-reload", "enable", "restart"])
def test_killed_on_the_way_and_run_again_it_ends_what_it_began(
    card: Card, provisioned: Path, moment: str
) -> None:
    card.install("--config", str(provisioned))
    card.version(2)
    unit = card.checkout / "deploy/systemd/palier-agent.service"
    unit.write_text(unit.read_text() + "# new\n")
    card.program("systemctl", SYSTEMCTL + f'case "$1" in {moment}) kill -9 $PPID ;; esac\n')
    assert card.install().returncode == -9
    card.program("systemctl", SYSTEMCTL)
    done = card.install()
    assert done.returncode == 0, done.stderr
    assert card.asked == ["daemon-reload", "enable --quiet palier-agent.service", *STARTED]
    card.install()
    assert card.asked == []


def test_two_at_a_time_do_not_write_into_one_folder(card: Card, provisioned: Path) -> None:
    card.install("--config", str(provisioned))
    with (card.root / "opt/palier/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        card.version(2)
        assert "another installation is at work" in card.install().stderr
    assert card.install().returncode == 0


def test_an_agent_toml_that_was_not_right_is_looked_at_again(card: Card, provisioned: Path) -> None:
    refuses = '#!/bin/sh\ncase "$*" in *--print-config*) exit 2 ;; esac\n'
    program = PYTHON.replace("printf '#!/bin/sh\\nexit 0\\n'", f"printf '{refuses}'".replace("\n", "\\n"))
    card.program("python3", program)
    assert "the agent is not started" in card.install("--config", str(provisioned)).stdout
    python = card.root / "opt/palier/current/bin/python"
    python.write_text("#!/bin/sh\n")
    assert card.install().returncode == 0
    assert card.asked[-2:] == STARTED


def test_a_folder_that_is_none_changes_nothing(card: Card, provisioned: Path) -> None:
    card.install("--config", str(provisioned))
    first = card.link("current")
    card.version(2)
    assert card.install("--config", "/nowhere").returncode == 1
    assert (card.link("current"), card.asked) == (first, [])


def test_another_python_and_other_extras_are_another_environment(card: Card, provisioned: Path) -> None:
    card.install("--config", str(provisioned), "--with", "opcua,audio")
    first = card.link("current")
    card.install("--with", "audio,opcua")
    assert card.link("current") == first
    card.version(2)
    card.install()  # what was asked for once is not lost by an upgrade
    assert card.link("current").endswith("-audio-opcua")
    second = card.link("current")
    card.program("python3", PYTHON + 'case "$1" in -V) echo Python 3.99.1 ;; esac\n')
    card.install()
    assert card.link("current") != second


def test_a_bundle_for_another_machine_says_so(card: Card) -> None:
    wheels = card.checkout / "deploy/edge/wheels"
    wheels.mkdir()
    (wheels / "numpy-2.4.6-cp311-cp311-manylinux_2_28_riscv64.whl").touch()
    done = card.install()
    assert done.returncode == 1
    assert f"this bundle is not for {os.uname().machine}" in done.stderr
    (wheels / f"numpy-2.4.6-cp311-cp311-manylinux_2_28_{os.uname().machine}.whl").touch()
    card.program("python3", PYTHON + 'case "$*" in *cp%d%d*) echo cp399 ;; esac\n')
    assert "this bundle has no packages for" in card.install().stderr
    assert not (card.root / "opt").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--return"], "there is no version before this one"),
        (["--config"], "--config needs the folder"),
        (["--with", "bluetooth"], "--with takes audio, opcua and spi, got: bluetooth"),
        (["--config", "/nowhere"], "--config takes the folder gateways/NODE of palier provision"),
        (["upgrade"], "unknown argument: upgrade"),
    ],
)
def test_what_is_wrong_is_a_sentence(card: Card, arguments: list[str], sentence: str) -> None:
    done = card.install(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_a_32_bit_system_and_an_old_python_are_refused_before_anything_is_made(card: Card) -> None:
    card.program("getconf", "#!/bin/sh\necho 32\n")
    assert "a 64-bit system is needed" in card.install().stderr
    card.program("getconf", "#!/bin/sh\necho 64\n")
    card.program("python3", "#!/bin/sh\n[ $# -ne 2 ]\n")
    assert "Python 3.11 or later is needed" in card.install().stderr
    assert not (card.root / "opt").exists()


MODULES = {"i2c": "i2c_dev", "spi": "spidev", "iio": "industrialio", "alsa": "snd"} | {
    "ttyUSB": "usbserial",
    "ttyACM": "cdc_acm",
}
BUILT_IN = {"ttyAMA", "ttyS", "gpiochip"}


def test_a_device_that_is_plugged_in_later_may_be_opened() -> None:
    """systemd looks DeviceAllow's groups up once, at the start (systemd.resource-control)."""
    lines = (ROOT / "deploy/edge/devices.conf").read_text().splitlines()
    allowed = {line.removeprefix("DeviceAllow=char-").split()[0] for line in lines if "=char-" in line}
    assert allowed == {*MODULES, *BUILT_IN}
    for key in ("Wants=", "After="):
        units = " ".join(line.removeprefix(key) for line in lines if line.startswith(key)).split()
        assert set(units) == {f"modprobe@{module}.service" for module in MODULES.values()}


@pytest.mark.long
def test_the_real_packages_make_an_agent_that_runs(tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/edge/install.sh")],
        env={
            **os.environ,
            "DESTDIR": str(root),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    python = root / "opt/palier/current/bin/python"
    said = subprocess.run(
        [python, "-P", "-c", "import edge_agent.service, pymodbus, smbus2, sys; print(edge_agent.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith(str(root / "opt/palier/current"))
