"""`make compose-test`: the compose file with stand-ins from Debian's packages: up, hurt, backed up, restored.

Needs root on a Debian without an engine, and an engine anywhere else. Ends with 1 when a check does not hold.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine import ROOT, Failed, engine, make_images, run, say, until
from plant_host import PROJECT, READY_S, SERVICES, PlantHost, work_folder


def is_read(host: PlantHost) -> None:
    """Compose takes the shipped file without stand-ins, also with the one for a root certificate."""
    for files in ("docker-compose.yml", "docker-compose.yml:docker-compose.ca.yml"):
        env = {**host.env, "COMPOSE_FILE": files, "PALIER_CA": "/dev/null"}
        services = run("docker", "compose", "config", "--services", env=env).split()
        _holds({*SERVICES, "grafana"} <= {*services}, f"{files} has every service, got {services}")


def up(host: PlantHost) -> None:
    """`make up` stops at a plant that it has just made; then it makes all, and waits until it is healthy."""
    _holds(
        host.refused("up.sh") and not host.secrets.exists(), "nothing is made before the plant is described"
    )
    shutil.copy(ROOT / "palier" / "samples" / "plant.toml", host.folder / "plant.toml")
    host.script("up.sh")
    for service in SERVICES:
        until(partial(host.is_healthy, service), READY_S, f"{service} healthy")
    _holds(host.page_answers(), "the page is served on the host's loopback")


def up_again(host: PlantHost) -> None:
    """A second `make up` makes no container and no secret anew."""
    before = {service: host.inspect(service)["Id"] for service in SERVICES}
    secrets = {file: file.read_bytes() for file in sorted(host.secrets.rglob("*")) if file.is_file()}
    host.script("up.sh")
    _holds(before == {service: host.inspect(service)["Id"] for service in SERVICES}, "the same containers")
    _holds(all(file.read_bytes() == text for file, text in secrets.items()), "the same secrets")


def changes_taken(host: PlantHost) -> None:
    """Another name of the broker and another plant reach what is running; another site's plant is refused."""
    plant = host.folder / "plant.toml"
    text = plant.read_text()
    site = tomllib.loads(text)["site"]["id"]
    plant.write_text(text.replace(f'"{site}"', '"elsewhere"', 1))
    _holds(host.refused("up.sh"), "the plant of another site is refused")
    plant.write_text(text + "# changed\n")
    host.env["PALIER_HOSTS"] = "localhost broker.test"
    before = {service: host.inspect(service)["State"]["StartedAt"] for service in SERVICES}
    host.script("up.sh")
    again = {
        service for service in SERVICES if host.inspect(service)["State"]["StartedAt"] != before[service]
    }
    _holds(again == {"ingest", "console"}, f"ingest and page read the plant again, got {again}")
    until(partial(host.answers_as, "broker.test"), 20, "the broker's new name in its certificate")


def contained(host: PlantHost) -> None:
    """Nothing runs as root, writes outside its volumes, or can take more than its share."""
    for service in SERVICES:
        found = host.inspect(service)
        config, limits = found["Config"], found["HostConfig"]
        _holds(config["User"].split(":")[0] not in ("", "0", "root"), f"{service} is not root")
        _holds(limits["ReadonlyRootfs"] and limits["CapDrop"] == ["ALL"], f"{service} is read-only")
        _holds(
            limits["Memory"] > 0 and limits["NanoCpus"] > 0 and limits["PidsLimit"] > 0, f"{service} capped"
        )
        _holds(not config["Env"] or not any("PASSWORD=" in e for e in config["Env"]), f"{service}: no secret")
        refused = host.compose("exec", "-T", service, "sh", "-c", "touch /etc/x 2>&1 || true")
        _holds("Read-only" in refused or "denied" in refused, f"{service} can't write outside its volumes")
    tools = host.compose("exec", "-T", "ingest", "sh", "-c", "command -v cc gcc pip pip3 || true").strip()
    _holds(not tools, f"no compiler and no pip in the image, found {tools!r}")


def broker_asks(host: PlantHost) -> None:
    """Neither without TLS, nor without an account, nor with a wrong password."""
    for how in ("", "-u ingest -P wrong"):
        _holds(_knocks(host, how) == "5", f"refused with {how or 'no account'}")  # 5: not authorised
    _holds(_knocks(host, "-u ingest -P wrong", tls="") not in ("0", "27"), "refused without TLS")


def gateway_added(host: PlantHost) -> None:
    """One more gateway, without a restart: its account works, and shows it nothing of another's."""
    host.compose("run", "--rm", "--no-deps", "provision", "--gateway", "gw-2", "--quiet")
    # Not `compose kill`: the engine takes any signal of its own for a wish to stop, and after a crash it
    # would not start the broker again.
    host.compose("exec", "-T", "broker", "sh", "-c", "kill -HUP 1")
    password = (host.secrets / "gateways" / "gw-2" / "password").read_text()
    # 27: it got in, and nothing came within the time it was to wait.
    until(lambda: _knocks(host, f"-u gw-2 -P {password}") == "27", 20, "the new gateway's account works")


def frames_arrive(host: PlantHost) -> None:
    """From the gateway's container over TLS and the ingest into InfluxDB, in both databases' accounts."""
    until(lambda: host.rows() >= 20, 120, "20 rows of `feature` in InfluxDB")
    _adds_up(host)
    try:
        host.influx("DROP MEASUREMENT feature")
    except Failed:
        return
    raise Failed("the reader's account may write")


def ingest_killed(host: PlantHost) -> None:
    """kill -9 of the ingest: it comes back, and what was on its way is counted once."""
    _goes_on_after(host, lambda: host.crash("ingest"))


def broker_killed(host: PlantHost) -> None:
    """kill -9 of the broker."""
    _goes_on_after(host, lambda: host.crash("broker"))


def influxdb_killed(host: PlantHost) -> None:
    """kill -9 of InfluxDB: the ingest takes nothing that it can't store, the gateway keeps it."""
    _goes_on_after(host, lambda: host.crash("influxdb"))


def restarted(host: PlantHost) -> None:
    """A restart of everything at once."""
    _goes_on_after(host, lambda: host.compose("restart"))


def backed_up_and_restored(host: PlantHost) -> None:
    """Backup, both stores destroyed, restored: the same rows, the same ledger, and the gateway goes on."""
    backup = host.folder / "backup"
    until(lambda: _pending(host) == 0, 60, "nothing pending")
    host.compose("stop", "agent")
    rows, lines = host.rows(), host.ledger()
    host.script("backup.sh", str(backup))
    until(lambda: host.is_healthy("ingest"), READY_S, "the ingest healthy after the backup")
    _holds(host.rows() == rows, "a backup changes nothing")
    _holds(host.refused("backup.sh", str(backup)), "a backup is not written over another")
    _holds(backup.stat().st_mode & 0o077 == 0, "a backup is for its owner only")

    host.compose("down")
    for volume in ("influxdb", "data", "broker"):
        run("docker", "volume", "rm", f"{PROJECT}_{volume}")
    _holds(host.refused("restore.sh", str(backup)), "a restore asks for --yes")
    archive = backup / "volumes.tar"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1000])
    _holds(host.refused("restore.sh", str(backup), "--yes"), "a damaged backup is refused")
    archive.write_bytes(whole)
    host.env["COMPOSE_PROFILES"] = ""  # not the gateway yet
    host.script("restore.sh", str(backup), "--yes")
    _holds(host.rows() == rows, f"{rows} rows again, got {host.rows()}")
    _holds([_counts(a) for a in host.ledger()] == [_counts(a) for a in lines], "the same ledger")

    host.env["COMPOSE_PROFILES"] = "demo"
    host.script("up.sh")
    until(lambda: host.rows() > rows + 10, 120, "new rows after the restore")
    _adds_up(host)


def all_lost_but_the_backup(host: PlantHost) -> None:
    """Volumes, plant and secrets gone: the backup alone brings the host back, and its gateways know it."""
    rows = host.rows()
    host.compose("stop", "agent")
    host.script("backup.sh", str(host.folder / "second"))
    host.compose("down")
    for volume in ("influxdb", "data", "broker"):
        run("docker", "volume", "rm", f"{PROJECT}_{volume}")
    shutil.rmtree(host.secrets)
    (host.folder / "plant.toml").unlink()
    host.script("restore.sh", str(host.folder / "second"), "--yes")
    until(lambda: host.rows() > rows + 10, 120, "new rows after the restore")
    _adds_up(host)


STEPS: tuple[Callable[[PlantHost], None], ...] = (
    is_read,
    up,
    up_again,
    changes_taken,
    contained,
    broker_asks,
    gateway_added,
    frames_arrive,
    ingest_killed,
    broker_killed,
    influxdb_killed,
    restarted,
    backed_up_and_restored,
    all_lost_but_the_backup,
)


def main() -> int:
    """Run every step, in this order; 0 when all hold."""
    work = work_folder()
    folder = Path(tempfile.mkdtemp(prefix="palier-compose-", dir=work))
    try:
        with engine(work):
            make_images(work)
            host = PlantHost(folder)
            try:
                for step in STEPS:
                    start = time.monotonic()
                    step(host)
                    say(f"ok   {time.monotonic() - start:6.1f} s  {step.__name__}")
            except Failed:
                say(host.compose("ps", "--all", may_fail=True))
                say(host.compose("logs", "--no-color", "--tail", "40", may_fail=True))
                raise
            finally:
                host.end()
    except Failed as error:
        say(f"FAILED: {error}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("Not run, for want of their images: InfluxDB 2.x (its set-up, its tokens) and Grafana.")
    return 0


def _knocks(host: PlantHost, account: str, *, tls: str = "--cafile /mosquitto/access/ca.crt") -> str:
    """With what mosquitto_sub ends when it asks the broker for frames of another gateway."""
    ask = f"mosquitto_sub -h localhost -p 8883 -t 'spBv1.0/+/+/demo/#' -C 1 -W 3 {tls} {account}"
    return host.compose("exec", "-T", "broker", "sh", "-c", f"{ask} >/dev/null 2>&1; echo $?").strip()


def _goes_on_after(host: PlantHost, hurt: Callable[[], object]) -> None:
    before = host.rows()
    hurt()
    for service in SERVICES:
        until(partial(host.is_healthy, service), READY_S, f"{service} healthy again")
    until(lambda: host.rows() > before + 10, 120, "new rows")
    _adds_up(host)


def _adds_up(host: PlantHost) -> None:
    def all_right() -> bool:
        lines = host.ledger()
        return bool(lines) and all(a["adds_up"] and not a["missing"] and not a["twice"] for a in lines)

    try:
        until(all_right, 90, "the ledger adds up")
    except Failed as error:
        raise Failed(f"{error}: {host.ledger()}") from None


def _pending(host: PlantHost) -> int:
    return sum(line["pending"] for line in host.ledger())


def _counts(line: dict[str, object]) -> tuple[object, ...]:
    return tuple(line[name] for name in ("edge", "epoch", "acquired", "stored", "quarantined", "dropped"))


def _holds(true: object, what: str) -> None:
    if not true:
        raise Failed(f"does not hold: {what}")


if __name__ == "__main__":
    sys.exit(main())
