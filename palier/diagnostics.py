"""What `palier doctor` looks at. Each check looks, changes nothing, and names the remedy."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

from .brokers import find_mosquitto
from .extras import EXTRAS, how_to_install, missing
from .tls import EXPIRES_SOON, client_context, peer_ends, why_not

PACKAGES: Final = ("palier", "models", "edge_agent", "ingest", "dashboards", "simulators")
"""The packages of this distribution: a folder of one of these names beside a user can stand before ours."""

_ELSEWHERE: Final = "grafana"
"""The extra that wants an environment of its own: here it is not missed."""

_INSTALL: Final = "pip install . in Palier's source folder"

FREE_BYTES: Final = 1_000_000_000
"""An hour of a busy plant: below this somebody must act before the disk is full."""

MQTT_TIMEOUT_S: Final = 3.0
# CONNECT of MQTT 3.1.1: clean session, keep-alive 10 s, empty client id. Any CONNACK means a broker.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_NOT_AUTHORIZED: Final = (4, 5)


class Verdict(StrEnum):
    """What a check came to. INFO tells something that is no fault."""

    OK = "ok"
    INFO = "info"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, what was found, and, where something is to be done, what."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def check_all(
    *, broker: str | None, data: Path | None, tls_ca: Path | None = None, access: Path | None = None
) -> Iterator[Check]:
    """All checks, one by one as they are done. `broker` is HOST or HOST:PORT, by TLS with `tls_ca`; `data` an
    ingest's folder, `access` one of `palier provision`.
    """
    yield check_python()
    yield check_places()
    yield from check_requirements()
    yield from check_extras()
    yield check_clock()
    yield check_local_broker()
    if broker is not None:
        yield check_broker(broker) if tls_ca is None else check_broker_over_tls(broker, tls_ca)
    if access is not None:
        yield check_access(access)
    if data is not None:
        yield check_disk(data)
        yield from check_stores(data)


def check_python() -> Check:
    """The version (pip has checked it) and the width of the interpreter."""
    found = f"{platform.python_version()}, {platform.machine()}, {sys.executable}"
    if sys.maxsize < 2**32:
        return Check(
            "python", Verdict.FAILED, found, "use a 64-bit system: there are no packages for 32 bits"
        )
    return Check("python", Verdict.OK, found)


def check_places(packages: tuple[str, ...] = PACKAGES) -> Check:
    """Whether all packages come from one place, as a folder named `models` beside a user would prevent."""
    places: dict[str, list[str]] = {}
    missing = []
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            missing.append(name)
        else:
            places.setdefault(str(Path(spec.origin).resolve().parent.parent), []).append(name)
    if missing:
        return Check("packages", Verdict.FAILED, f"missing: {', '.join(missing)}", "install palier again")
    found = "; ".join(f"{', '.join(names)} from {place}" for place, names in places.items())
    if len(places) > 1:
        return Check(
            "packages",
            Verdict.FAILED,
            found,
            "run from another folder, or set PYTHONSAFEPATH=1: one shadows the other",
        )
    return Check("packages", Verdict.OK, f"all from {next(iter(places))}")


def check_requirements() -> Iterator[Check]:
    """What palier itself needs, with the versions that are there."""
    try:
        requirements = metadata.requires("palier") or []
    except metadata.PackageNotFoundError:
        yield Check("requirements", Verdict.FAILED, "palier is not installed", _INSTALL)
        return
    names = [requirement for requirement in requirements if "extra ==" not in requirement]
    versions, missing = [], []
    for requirement in names:
        name = _distribution(requirement)
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(requirement)
    if missing:
        yield Check("requirements", Verdict.FAILED, f"missing: {', '.join(missing)}", "install palier again")
    else:
        yield Check("requirements", Verdict.OK, ", ".join(versions))


def _distribution(requirement: str) -> str:
    return next(
        requirement[:i]
        for i in range(len(requirement) + 1)
        if i == len(requirement) or requirement[i] in "<>=!~;[ "
    )


def check_extras() -> Iterator[Check]:
    """Optional parts: none of them is a fault to lack."""
    for extra in EXTRAS:
        if extra == _ELSEWHERE:
            continue
        if lacking := missing(extra):
            remedy = f"{how_to_install(extra)}, if it is wanted here"
            yield Check(f"extra {extra}", Verdict.INFO, f"not installed: {', '.join(lacking)}", remedy)
        else:
            yield Check(f"extra {extra}", Verdict.OK, "installed")


def check_clock() -> Check:
    """Whether the time of day can be right, and whether anything keeps it right."""
    now = time.time()
    installed = Path(__file__).stat().st_mtime
    found = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < installed - 86400:
        return Check(
            "clock", Verdict.FAILED, f"{found}, before this program was installed", "set the time: NTP"
        )
    synchronized = _ntp_synchronized()
    if synchronized is None:
        return Check("clock", Verdict.INFO, f"{found}; whether NTP keeps it can't be told here", "check NTP")
    if not synchronized:
        return Check("clock", Verdict.FAILED, f"{found}, not synchronized", "timedatectl set-ntp true")
    return Check("clock", Verdict.OK, f"{found}, synchronized")


def _ntp_synchronized() -> bool | None:
    if shutil.which("timedatectl") is None:
        return None
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer)


def check_local_broker() -> Check:
    """A broker that `palier demo` could start. A plant's own broker is elsewhere: no fault to lack it."""
    path = find_mosquitto()
    if path is not None:
        return Check("broker program", Verdict.OK, path)
    if importlib.util.find_spec("iotcore") is not None:
        return Check("broker program", Verdict.OK, "iotcore from PyPI (no mosquitto on PATH)")
    remedy = f"for palier demo: apt install mosquitto, or {how_to_install('demo')}"
    return Check("broker program", Verdict.INFO, "neither mosquitto nor iotcore", remedy)


def check_broker(address: str) -> Check:
    """Whether an MQTT broker answers at HOST or HOST:PORT (plain MQTT)."""
    place = _place(address, "1883")
    if place is None:
        return Check("broker", Verdict.FAILED, f"{address!r} is no HOST:PORT", "give e.g. 127.0.0.1:1883")
    try:
        with socket.create_connection(place, MQTT_TIMEOUT_S) as connection:
            connection.sendall(_CONNECT)
            answer = connection.recv(4)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        remedy = "start the broker, and check host, port and firewall; a port of TLS is tried with --tls-ca"
        return Check("broker", Verdict.FAILED, f"{address}: {reason}", remedy)
    return _judged(address, answer)


def check_broker_over_tls(address: str, tls_ca: Path) -> Check:
    """Whether an MQTT broker answers by TLS with a certificate of that authority, and until when it holds."""
    place = _place(address, "8883")
    if place is None:
        return Check("broker", Verdict.FAILED, f"{address!r} is no HOST:PORT", "give e.g. broker.plant:8883")
    broker = _Broker(*place, tls_ca)
    try:
        with (
            socket.create_connection(place, MQTT_TIMEOUT_S) as plain,
            client_context(tls_ca).wrap_socket(plain, server_hostname=broker.host) as connection,
        ):
            ends = peer_ends(connection)
            connection.sendall(_CONNECT)
            answer = connection.recv(4)
    except OSError as error:
        told, _, remedy = why_not(error, broker).partition(": ")
        return Check("broker", Verdict.FAILED, f"{address}: {told}", remedy or "see the broker's log")
    check = _judged(address, answer)
    if check.verdict is not Verdict.OK or ends is None:
        return check
    found = f"{check.found}, by TLS until {ends:%Y-%m-%d}"
    if ends - datetime.now(UTC) > EXPIRES_SOON:
        return Check("broker", Verdict.OK, found)
    return Check("broker", Verdict.FAILED, found, "`palier provision FOLDER --check` tells what to renew")


def check_access(folder: Path) -> Check:
    """Whether what `palier provision` made is whole, closed to others, and holds for a month yet."""
    if lacking := missing("provision"):
        found = f"{', '.join(lacking)} is not installed"
        return Check("access", Verdict.FAILED, found, how_to_install("provision"))
    from .provision.checking import check
    from .provision.files import ProvisionError

    try:
        findings = check(folder, datetime.now(UTC))
    except ProvisionError as error:
        return Check("access", Verdict.FAILED, str(error), "give the folder of `palier provision`")
    ends = min((finding.not_after for finding in findings if finding.not_after is not None), default=None)
    amiss = [f"{finding.file} {finding.text}" for finding in findings if not finding.fine]
    if amiss:
        remedy = f"`palier provision {folder} --check` tells each"
        return Check("access", Verdict.FAILED, "; ".join(amiss[:3]), remedy)
    until = f", certificates until {ends:%Y-%m-%d}" if ends else ""
    return Check("access", Verdict.OK, f"{len(findings)} files in {folder}{until}")


@dataclass(frozen=True, slots=True)
class _Broker:
    host: str
    port: int
    tls_ca: Path | None


def _place(address: str, port: str) -> tuple[str, int] | None:
    host, _, digits = address.rpartition(":") if ":" in address else (address, "", port)
    if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:6]) < 65536 or not host:
        return None
    return host, int(digits)


def _judged(address: str, answer: bytes) -> Check:
    """What the first bytes of a broker's answer to CONNECT say."""
    if len(answer) < 4 or answer[0] != 0x20:
        remedy = "check the port; one of TLS is tried with --tls-ca"
        return Check("broker", Verdict.FAILED, f"{address} answers, but not as MQTT", remedy)
    if answer[3] in _NOT_AUTHORIZED:
        return Check("broker", Verdict.OK, f"{address} answers and asks for an account")
    if answer[3]:
        return Check(
            "broker", Verdict.FAILED, f"{address} refuses with code {answer[3]}", "see the broker's log"
        )
    return Check("broker", Verdict.OK, f"{address} answers")


def check_disk(data: Path) -> Check:
    """Room where an ingest writes."""
    place = next((folder for folder in (data, *data.resolve().parents) if folder.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free at {place}"
    if free < FREE_BYTES:
        return Check("disk", Verdict.FAILED, found, "make room, or move data in ingest.toml to another disk")
    return Check("disk", Verdict.OK, found)


def check_stores(data: Path) -> Iterator[Check]:
    """Whether the stores of a data folder can be read by this version."""
    from palier.historian.base import HistorianError
    from palier.historian.folder import DataFolder
    from palier.historian.records import RecordsReader
    from palier.historian.sqlite import SqliteHistorian

    folder = DataFolder(data)
    if not folder.records.exists() and not folder.historian.exists():
        remedy = "an ingest makes its stores when it first starts; check --data"
        yield Check("stores", Verdict.INFO, f"nothing in {data} yet", remedy)
        return
    if not folder.historian.exists():
        yield Check(
            "historian",
            Verdict.INFO,
            f"no {folder.historian.name} in {data}: the series are in an InfluxDB, or are gone",
            "palier ingest --config FILE --check tries the one that [historian] names",
        )
    for name, path in (("historian", folder.historian), ("records", folder.records)):
        if name == "historian" and not path.exists():
            continue
        try:
            store = SqliteHistorian(path, read_only=True) if name == "historian" else RecordsReader(path)
            store.close()
        except HistorianError as error:
            yield Check(
                name, Verdict.FAILED, str(error), "start the ingest of this version on it, or restore it"
            )
        else:
            yield Check(name, Verdict.OK, f"{path} is readable, its schema is this version's")
