"""What stands in deploy/ is what the services accept and a plant may rely on; no engine is needed for it."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.console.settings import ConsoleSettings
from edge_agent.settings import load_settings as load_agent_settings
from ingest.settings import IngestSettings
from palier.brokers import MESSAGE_LIMIT
from palier.provision import layout
from palier.provision.making import Wanted, provision
from palier.settings import load_settings
from tests.support.compose_rules import faults

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose"
STAND_INS = DEPLOY / "compose-test"
PROVISIONED = {*layout.SECRET_FILES, layout.AUTHORITY_CERTIFICATE}

DOCKERFILES = [ROOT / "Dockerfile", *sorted(STAND_INS.glob("*/Dockerfile"))]
SCRIPTS = sorted(f for f in DEPLOY.rglob("*.sh"))


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


def test_compose_files_are_what_compose_reads() -> None:
    files = sorted(str(f) for f in ROOT.glob("docker-compose*.yml"))
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_dockerfiles_pass_hadolint(file: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(hadolint), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_scripts_are_sound(script: Path) -> None:
    linter = shutil.which("shellcheck")  # where it is not installed, at least what the shell itself refuses
    command = [linter, "-x", str(script)] if linter else ["sh", "-n", str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_is_contained() -> None:
    assert faults(compose(), PROVISIONED) == []


def _drop(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda one: one.pop(key)


def _set(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda one: one.update({key: value})


SEEDED: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("ingest", _drop("mem_limit"), "has no mem_limit"),
    ("influxdb", _drop("cpus"), "has no cpus"),
    ("console", _drop("healthcheck"), "has no health check"),
    ("ingest", _set("healthcheck", {"disable": True}), "has no health check"),
    ("broker", _set("image", "eclipse-mosquitto:latest"), "not pinned"),
    ("grafana", _set("image", "grafana/grafana"), "not pinned"),
    ("broker", _drop("user"), "may be root"),
    ("ingest", _set("user", "0:0"), "may be root"),
    ("volumes", _drop("network_mode"), "may be root"),
    ("console", _set("read_only", False), "may write to its root"),
    ("influxdb", _drop("cap_drop"), "keeps capabilities"),
    ("agent", _drop("security_opt"), "may gain rights"),
    ("agent", _set("privileged", True), "is privileged"),
    ("grafana", _drop("logging"), "log without a limit"),
    ("influxdb", _set("ports", ["8086:8086"]), "publishes 8086:8086"),
    ("console", _set("ports", ["0.0.0.0:8080:8080"]), "publishes 0.0.0.0"),
    ("broker", _set("ports", ["1883:1883"]), "publishes 1883"),
    ("influxdb", _set("environment", {"DOCKER_INFLUXDB_INIT_ADMIN_TOKEN": "abc"}), "in its environment"),
    ("ingest", _set("secrets", ["ca.crt", "mqtt_ingest_password", "grafana_key"]), "does not state"),
]


@pytest.mark.parametrize(("service", "seed", "told"), SEEDED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_service_that_is_not_contained_is_found(
    service: str, seed: Callable[[dict[str, Any]], object], told: str
) -> None:
    wrong = copy.deepcopy(compose())
    seed(wrong["services"][service])
    found = faults(wrong, PROVISIONED)
    assert any(fault.startswith(f"{service}: ") and told in fault for fault in found), found


def test_a_secret_that_nobody_makes_is_found() -> None:
    wrong = compose()
    wrong["secrets"]["ca.crt"] = {"file": "${PALIER_PROVISION:-./deploy/provision}/secrets/typo"}
    assert any("is not one that palier provision makes" in fault for fault in faults(wrong, PROVISIONED))


def test_what_the_compose_file_mounts_is_there() -> None:
    mounted = [v for one in compose()["services"].values() for v in one.get("volumes", ())]
    own = [path for v in mounted if (path := v.split(":")[0]).startswith("./")]
    assert own
    assert not [path for path in own if not (ROOT / path).exists()]
    made = {
        v.split("}/")[1].split(":")[0] for v in mounted if v.startswith("${PALIER_PROVISION") and "}/" in v
    }
    assert made == {"broker", "secrets", "gateways/demo"}


def test_every_setting_of_the_compose_file_is_explained_and_none_is_left_over() -> None:
    taken = set(re.findall(r"\$\{(PALIER_\w+)", (ROOT / "docker-compose.yml").read_text()))
    scripts = "".join((DEPLOY / name).read_text() for name in ("up.sh", "backup.sh", "restore.sh"))
    taken |= set(re.findall(r"setting (\w+)", scripts))
    explained = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert taken == explained


def test_the_image_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {one["image"] for one in compose()["services"].values() if one["image"].startswith("palier")}
    assert images == {f"palier:{version}"}


def test_the_image_is_two_stages_of_one_pinned_python() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    installs = re.findall(r"(?:pip|python3) install (.*)", text)
    assert len(installs) == 3
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    assert "--no-build-isolation" in text  # else the build would fetch hatchling unhashed


def test_the_image_can_print_a_report() -> None:
    """WeasyPrint from the lock, and the system's libraries that `palier report` asks for where they lack."""
    from palier.report.render import PACKAGES

    assert re.search(r"^weasyprint==", (ROOT / "requirements" / "server.txt").read_text(), re.MULTILINE)
    final = (ROOT / "Dockerfile").read_text().rsplit("FROM ", 1)[1]
    assert f"apt-get install -y -qq --no-install-recommends {PACKAGES}" in final


def test_only_what_is_named_goes_to_the_engine() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert not [line for line in lines if line.startswith("!") and re.search("deploy|env|backup", line)]


def test_ingest_and_page_of_the_compose_file_share_data_and_historian() -> None:
    ingest = load_settings(IngestSettings, COMPOSE / "ingest.toml")
    page = load_settings(ConsoleSettings, COMPOSE / "console.toml")
    assert ingest.data == page.data == Path("/var/lib/palier")
    assert ingest.plant == page.plant == COMPOSE / "plant.toml"
    same = ("url", "database", "org")
    assert [getattr(ingest.historian, k) for k in same] == [getattr(page.historian, k) for k in same]


def test_services_find_broker_and_secrets_where_compose_puts_them() -> None:
    services = compose()["services"]
    ingest = load_settings(IngestSettings, COMPOSE / "ingest.toml")
    page = load_settings(ConsoleSettings, COMPOSE / "console.toml")
    agent = load_agent_settings(COMPOSE / "agent.toml")
    assert page.broker is not None
    for broker in (ingest.broker, agent.broker, page.broker):
        assert (broker.host, broker.port, broker.insecure) == ("broker", layout.BROKER_PORT, False)
    wanted = {
        "ingest": {ingest.broker.password_file, ingest.broker.tls_ca, ingest.historian.token_file},
        "console": {page.broker.password_file, page.broker.tls_ca, page.historian.token_file},
    }
    for name, files in wanted.items():
        assert {Path("/run/secrets", secret) for secret in services[name]["secrets"]} == files
    assert agent.broker.password_file == COMPOSE / "gateway" / "password"
    assert agent.broker.username == agent.node == "demo"


def test_the_page_s_first_account_is_made_where_the_page_looks_for_it() -> None:
    services, page = compose()["services"], load_settings(ConsoleSettings, COMPOSE / "console.toml")
    assert page.accounts is not None
    assert services["console"]["environment"]["PALIER_CONSOLE_ACCOUNTS"] == str(page.accounts)
    assert f"page:{page.accounts.parent}" in services["console"]["volumes"]
    (mounted,) = services["accounts"]["volumes"]
    command = services["accounts"]["entrypoint"][-1]
    assert f"--accounts {mounted.removeprefix('page:')}/{page.accounts.name} " in command
    assert services["console"]["depends_on"]["accounts"] == {"condition": "service_completed_successfully"}


def test_health_is_asked_where_it_is_answered() -> None:
    services = compose()["services"]
    ports = {
        "ingest": load_settings(IngestSettings, COMPOSE / "ingest.toml").health_port,
        "console": load_settings(ConsoleSettings, COMPOSE / "console.toml").port,
        "agent": load_agent_settings(COMPOSE / "agent.toml").health_port,
    }
    asked = {name: services[name]["environment"]["PALIER_HEALTH_URL"] for name in ports}
    assert asked == {name: f"http://127.0.0.1:{port}/readyz" for name, port in ports.items()}


@pytest.mark.parametrize("name", ["ingest", "console"])
def test_stand_ins_differ_in_the_account_only(name: str) -> None:
    real = tomllib.loads((COMPOSE / f"{name}.toml").read_text())
    tried = tomllib.loads((STAND_INS / f"{name}.toml").read_text())
    for key in ("org", "token_file"):
        del real["historian"][key]
    for key in ("username", "password_file"):
        del tried["historian"][key]
    assert real == tried


def test_grafana_finds_what_its_provisioning_names() -> None:
    grafana = compose()["services"]["grafana"]
    mounts = {inside: ROOT / own for own, inside, *_ in (v.split(":") for v in grafana["volumes"])}
    texts = [f.read_text() for f in mounts["/etc/grafana/provisioning"].rglob("*.yaml")]
    assert texts
    assert {s for text in texts for s in re.findall(r"/run/secrets/(\w+)", text)} <= {*grafana["secrets"]}
    named = [Path(path) for text in texts for path in re.findall(r"^ +path: (\S+)", text, re.MULTILINE)]
    assert named
    inside = Path("/etc/grafana/dashboards")
    assert all((mounts[str(inside)] / path.relative_to(inside)).is_dir() for path in named)
    addresses = {url for text in texts for url in re.findall(r"url: (http://influxdb\S*)", text)}
    assert addresses == {load_settings(IngestSettings, COMPOSE / "ingest.toml").historian.url}


def test_grafana_has_a_password_of_its_own_and_lets_nobody_else_in(tmp_path: Path) -> None:
    grafana = compose()["services"]["grafana"]
    environment = grafana["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin_password"
    assert "grafana_admin_password" in grafana["secrets"]
    for closed in ("GF_USERS_ALLOW_SIGN_UP", "GF_AUTH_ANONYMOUS_ENABLED"):
        assert environment[closed] == "false"
    assert not [key for key in environment if key.startswith("GF_AUTH_ANONYMOUS_ORG")]
    made = set()
    for name in ("a", "b"):
        provision(tmp_path / name, Wanted(site="usine"), datetime.now(UTC))
        made.add((tmp_path / name / "secrets/grafana_admin_password").read_text())
    assert len(made) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", password) for password in made)


def broker_conf() -> dict[str, str]:
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    return {key: value for key, value in lines if key != "log_type"}


def test_the_shipped_broker_takes_the_largest_frame() -> None:
    # Not message_size_limit: mosquitto 2.1 has 2 MB of its own where max_packet_size is not said.
    assert broker_conf()["max_packet_size"] == str(MESSAGE_LIMIT)


def test_the_shipped_broker_asks_for_tls_and_an_account() -> None:
    conf = broker_conf()
    assert (conf["listener"], conf["allow_anonymous"]) == (str(layout.BROKER_PORT), "false")
    access = {key: Path(conf[key]) for key in ("certfile", "keyfile", "password_file", "acl_file")}
    assert {file.parent for file in access.values()} == {Path("/mosquitto/access")}
    made = (layout.SERVER_CERTIFICATE, layout.SERVER_KEY, layout.PASSWORDS, layout.ACL)
    assert [file.name for file in access.values()] == [Path(file).name for file in made]


def test_the_shipped_broker_bounds_what_it_keeps_for_a_slow_reader() -> None:
    assert 0 < int(broker_conf()["max_queued_messages"]) <= 10_000
