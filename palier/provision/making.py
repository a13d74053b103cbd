"""Make what a folder of `palier provision` lacks. A key or a secret that is there is never written over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from palier.configuration_keys import SigningError, new_private_key, public_of
from palier.frames import NAME_PATTERN

from . import certificates
from .accounts import new_secret
from .certificates import SERVER_DAYS, CertificateError
from .changes import Change, Did, advice, refuse_strangers
from .files import Folder, ProvisionError, open_folder
from .layout import (
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
    BROKER_AUTHORITY,
    BROKER_NAMES,
    CONFIGURATION_KEY,
    CONFIGURATION_PUBLIC,
    GATEWAY_FILES,
    GATEWAYS,
    INFLUX_ADMIN,
    MANIFEST,
    SECRET_FILES,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    accounts,
    gateway_file,
    wrong_gateway,
)
from .site import Manifest, derived, expected_files, gateways_host, gateways_of, read_manifest

T = TypeVar("T")

RENEWABLE: Final = ("server", "authority")
"""What `--renew` takes. The key stays, so that nothing that trusts it has to be touched for `server`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for. `site` and `host_id` are None where the folder tells them.

    `rotate` are accounts that get another password, `withdraw` gateways that lose theirs.
    """

    site: str | None = None
    host_id: str | None = None
    gateways: Sequence[str] = ()
    hosts: Sequence[str] = ()
    days: int = SERVER_DAYS
    renew: Sequence[str] = ()
    rotate: Sequence[str] = ()
    withdraw: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, and what somebody has to do now. `host` is where gateways look for the broker."""

    manifest: Manifest
    gateways: tuple[str, ...]
    host: str
    changes: tuple[Change, ...]
    advice: tuple[str, ...]


@dataclass(slots=True)
class _Run:
    folder: Folder
    now: datetime
    changes: list[Change] = field(default_factory=list)

    def make(self, name: str, content: Callable[[], bytes]) -> bytes:
        """What the file holds, made where it is missing."""
        there = self.folder.read(name)
        if there is not None:
            return there
        made = content()
        self.folder.write(name, made)
        self.changes.append(Change(name, Did.MADE))
        return made

    def renew(self, name: str, content: bytes) -> None:
        """Write a certificate, or what follows from other files. Nothing where it is so already."""
        there = self.folder.read(name)
        if there == content:
            return
        self.folder.write(name, content)
        self.changes.append(Change(name, Did.MADE if there is None else Did.RENEWED))


def provision(path: Path, wanted: Wanted, now: datetime) -> Outcome:
    """Make what `path` lacks of what is wanted, and close what stands open. Raises ProvisionError.

    May be stopped at any moment and run again. `now` has a time zone.
    """
    hosts = _check(wanted)
    if wanted.site is None and not (path / MANIFEST).exists():
        raise ProvisionError("name the plant with --plant plant.toml: its site is in topics", usage=True)
    folder = open_folder(path, MANIFEST)
    with folder.locked():
        run = _Run(folder, now)
        _close(run)
        manifest = _manifest(run, wanted)
        gateways = tuple(sorted({*gateways_of(folder), *wanted.gateways}))
        refuse_strangers(wanted.rotate, wanted.withdraw, wanted.gateways, gateways)
        gateways = _withdrawn(run, gateways, wanted.withdraw)
        _secrets(run, gateways)
        _rotate(run, wanted.rotate, gateways)
        _signing(run, gateways)
        try:
            names = _certificates(run, manifest, hosts, wanted)
        except CertificateError as error:
            raise ProvisionError(str(error)) from error
        for name, content in derived(folder, manifest, gateways, names).items():
            run.renew(name, content)
    return Outcome(manifest, gateways, gateways_host(names), tuple(run.changes), advice(run.changes))


def _check(wanted: Wanted) -> tuple[str, ...]:
    """Everything that can be refused before the first file; the hosts as a certificate has them."""
    for node in wanted.gateways:
        if sentence := wrong_gateway(node):
            raise ProvisionError(sentence, usage=True)
    if wanted.host_id is not None and not NAME_PATTERN.fullmatch(wanted.host_id):
        raise ProvisionError(
            f"the host id must be 1 to 64 of A-Z a-z 0-9 _ . -, and not . or .., got {wanted.host_id[:80]!r}",
            usage=True,
        )
    if not 1 <= wanted.days <= certificates.LONGEST_DAYS:
        raise ProvisionError(
            f"a certificate must be valid for 1 to {certificates.LONGEST_DAYS} days, got {wanted.days}",
            usage=True,
        )
    for what in wanted.renew:
        if what not in RENEWABLE:
            raise ProvisionError(f"one can renew {' or '.join(RENEWABLE)}, got {what[:80]!r}", usage=True)
    try:
        return tuple(certificates.host_name(host) for host in wanted.hosts)
    except CertificateError as error:
        raise ProvisionError(str(error), usage=True) from error


def _close(run: _Run) -> None:
    """Before anything is written: where others may write, they could lead a secret elsewhere."""
    for name in run.folder.too_open(expected_files(gateways_of(run.folder))):
        run.folder.close(name)
        run.changes.append(Change(name, Did.CLOSED))


def _manifest(run: _Run, wanted: Wanted) -> Manifest:
    before = read_manifest(run.folder)
    site = wanted.site or (before.site if before else "")
    if before is not None and before.site != site:
        raise ProvisionError(
            f"{run.folder.path} is of site {before.site!r} and the plant's is {site!r}: each site has a "
            "folder of its own",
            usage=True,
        )
    manifest = Manifest(site, wanted.host_id or (before.host_id if before else "palier"))
    run.renew(MANIFEST, manifest.text())
    return manifest


def _secrets(run: _Run, gateways: tuple[str, ...]) -> None:
    for name in SECRET_FILES:
        if name.endswith("_user"):
            run.make(name, INFLUX_ADMIN.encode)
        else:
            run.make(name, lambda: new_secret().encode())
    for node in gateways:
        run.make(gateway_file(node, "password"), lambda: new_secret().encode())


def _withdrawn(run: _Run, gateways: tuple[str, ...], withdraw: Sequence[str]) -> tuple[str, ...]:
    """The gateways that are left. The password file and the access list follow from them."""
    for node in withdraw:
        run.folder.remove_folder(f"{GATEWAYS}/{node}", GATEWAY_FILES)
        run.changes.append(Change(f"{GATEWAYS}/{node}", Did.WITHDRAWN))
    return tuple(node for node in gateways if node not in withdraw)


def _rotate(run: _Run, names: Sequence[str], gateways: tuple[str, ...]) -> None:
    """Another password for each of these accounts; one that was just made stays."""
    made = {change.file for change in run.changes}
    for file in dict.fromkeys(accounts(gateways)[name] for name in names):
        if file not in made:
            run.folder.write(file, new_secret().encode())
            run.changes.append(Change(file, Did.ROTATED))


def _signing(run: _Run, gateways: tuple[str, ...]) -> None:
    """The key by which configurations are signed. Where only its public half is left, as it should be on a
    host, that stays: another one would be known to no gateway.
    """
    if run.folder.read(CONFIGURATION_PUBLIC) is not None:
        return
    copies = [run.folder.read(gateway_file(node, "configuration.pub")) for node in gateways]
    if run.folder.read(CONFIGURATION_KEY) is None and (known := next(filter(None, copies), None)):
        run.make(CONFIGURATION_PUBLIC, lambda: known)
        return
    try:
        key = run.make(CONFIGURATION_KEY, new_private_key)
        run.make(CONFIGURATION_PUBLIC, lambda: public_of(key, CONFIGURATION_KEY))
    except SigningError as error:
        raise ProvisionError(str(error)) from error


def _certificates(run: _Run, manifest: Manifest, hosts: tuple[str, ...], wanted: Wanted) -> tuple[str, ...]:
    """Make or renew the authority and the server's certificate; the names that it holds."""
    authority = _authority(run, manifest, renew="authority" in wanted.renew)
    key = run.make(SERVER_KEY, certificates.new_key)
    _told(SERVER_KEY, lambda: certificates.check_key(key))
    there = run.folder.read(SERVER_CERTIFICATE)
    named = () if there is None else _told(SERVER_CERTIFICATE, lambda: certificates.facts(there).names)
    names = _names(named, hosts)
    good = (
        there is not None
        and set(named) == set(names)
        and certificates.belongs(there, key)
        and certificates.issued_by(there, authority)
    )
    if good and "server" not in wanted.renew:
        return named
    issued = certificates.issue_server(
        key,
        names,
        site=manifest.site,
        authority_pem=authority,
        authority_key_pem=_authority_key(run),
        now=run.now,
        days=wanted.days,
    )
    run.renew(SERVER_CERTIFICATE, issued)
    return names


def _names(before: tuple[str, ...], hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Hosts once each in the order in which they were given, then the broker's own names."""
    given = (name for name in (*before, *hosts) if name not in BROKER_NAMES)
    return tuple(dict.fromkeys((*given, *BROKER_NAMES)))


def _authority(run: _Run, manifest: Manifest, *, renew: bool) -> bytes:
    """The authority's certificate: from its copy where only that is left, because a second authority would
    be trusted by no gateway."""
    copy = run.folder.read(BROKER_AUTHORITY)
    if copy is not None:
        run.make(AUTHORITY_CERTIFICATE, lambda: copy)
    there = run.folder.read(AUTHORITY_CERTIFICATE)
    if there is not None and not renew:
        _told(AUTHORITY_CERTIFICATE, lambda: certificates.facts(there))
        return there
    key = run.make(AUTHORITY_KEY, certificates.new_key) if there is None else _authority_key(run)
    issued = _told(AUTHORITY_KEY, lambda: certificates.issue_authority(key, manifest.site, run.now))
    run.renew(AUTHORITY_CERTIFICATE, issued)
    return issued


def _authority_key(run: _Run) -> bytes:
    key = run.folder.read(AUTHORITY_KEY)
    authority = run.folder.read(AUTHORITY_CERTIFICATE) or b""
    if key is None:
        raise ProvisionError(
            f"{run.folder.path / AUTHORITY_KEY} is not there, and issuing a certificate needs it: put it "
            f"back from where it is kept (if it is lost, remove {AUTHORITY_CERTIFICATE} and "
            f"{BROKER_AUTHORITY} for a new authority, and carry its certificate to every gateway)"
        )
    if not _told(AUTHORITY_KEY, lambda: certificates.belongs(authority, key)):
        raise ProvisionError(
            f"{run.folder.path / AUTHORITY_KEY} is not the key of {AUTHORITY_CERTIFICATE}: "
            "put the right one back"
        )
    return key


def _told(name: str, read: Callable[[], T]) -> T:
    """The same CertificateError with the file's name."""
    try:
        return read()
    except CertificateError as error:
        raise CertificateError(f"{name} {error}") from None
