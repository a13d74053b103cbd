"""Tell what a folder of `palier provision` holds and until when. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from palier.configuration_keys import SigningError, is_public, public_of
from palier.tls import EXPIRES_SOON

from . import certificates
from .accounts import accounts_of
from .certificates import CertificateError
from .files import Folder, ProvisionError
from .layout import (
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
    CONFIGURATION_KEY,
    CONFIGURATION_PUBLIC,
    GATEWAYS,
    MANIFEST,
    PASSWORDS,
    SECRET_FILES,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    accounts,
    gateway_file,
)
from .site import RESTORE_MANIFEST, Manifest, derived, expected_files, gateways_of, read_manifest, secret_of

AGAIN: Final = "run `palier provision` again"


class Verdict(StrEnum):
    """Of one file. All but OK and WARNING mean that something does not, or will not, work or is not safe."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    WRONG = "wrong"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Finding:
    """One file, what is the matter with it, and until when it holds (certificates)."""

    file: str
    verdict: Verdict
    text: str
    not_after: datetime | None = None

    @property
    def fine(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.verdict is Verdict.OK

    @property
    def bad(self) -> bool:
        """Whether somebody has to act now."""
        return self.verdict not in (Verdict.OK, Verdict.WARNING)


def check(path: Path, now: datetime, *, site: str | None = None) -> tuple[Finding, ...]:
    """Every file of the folder, in the order of its layout, and whether it is of `site`, where that is given.

    Raises ProvisionError where the folder can't be read.
    """
    if not path.is_dir():
        raise ProvisionError(
            f"there is no folder {path}: make it with `palier provision {path} --plant plant.toml`"
        )
    folder = Folder(path)
    manifest = read_manifest(folder)
    if manifest is None:
        return (Finding(MANIFEST, Verdict.MISSING, RESTORE_MANIFEST),)
    gateways = gateways_of(folder)
    found = {name: _there(folder, name) for name in expected_files(gateways)}
    if site is not None and manifest.site != site:
        found[MANIFEST] = Finding(
            MANIFEST, Verdict.WRONG, f"of site {manifest.site!r}, the plant's is {site!r}"
        )
    for finding in _faults(folder, manifest, gateways, now):
        if finding.file not in found or not found[finding.file].bad:
            found[finding.file] = finding
    return tuple(found.values())


def _there(folder: Folder, name: str) -> Finding:
    try:
        content = folder.read(name)
    except ProvisionError as error:
        return Finding(name, Verdict.WRONG, str(error))
    if content is not None:
        return Finding(name, Verdict.OK, "")
    if name == AUTHORITY_KEY:
        return Finding(name, Verdict.OK, "kept elsewhere: it is needed to issue a certificate only")
    if name == CONFIGURATION_KEY and folder.read(CONFIGURATION_PUBLIC) is not None:
        return Finding(name, Verdict.OK, "kept elsewhere: it is needed to sign a configuration only")
    return Finding(name, Verdict.MISSING, AGAIN)


def _faults(
    folder: Folder, manifest: Manifest, gateways: tuple[str, ...], now: datetime
) -> Iterator[Finding]:
    """What is the matter with files that are there. The first bad finding of a file stands."""
    for name in folder.too_open(expected_files(gateways)):
        yield Finding(name, Verdict.WRONG, f"others than its owner may use it: {AGAIN} to close it")
    for name in (*SECRET_FILES, *(gateway_file(node, "password") for node in gateways)):
        yield from _secret(folder, name)
    yield from _certificate(folder, AUTHORITY_CERTIFICATE, "authority", now)
    yield from _server(folder, now)
    yield from _signing(folder)
    yield from _follows(folder, manifest, gateways)
    yield from _strangers(folder, gateways)


def _secret(folder: Folder, name: str) -> Iterator[Finding]:
    try:
        if folder.read(name) is not None:
            secret_of(folder, name)
    except ProvisionError as error:
        yield Finding(name, Verdict.WRONG, str(error))


def _certificate(folder: Folder, name: str, renew: str, now: datetime) -> Iterator[Finding]:
    content = _content(folder, name)
    if content is None:
        return
    try:
        facts = certificates.facts(content)
    except CertificateError as error:
        yield Finding(name, Verdict.WRONG, f"{error}: restore it, or remove it and {AGAIN}")
        return
    until = f"{facts.not_after:%Y-%m-%d}"
    remedy = f"`palier provision {folder.path} --renew {renew}`"
    if facts.not_after <= now:
        yield Finding(name, Verdict.EXPIRED, f"since {until}: {remedy}", facts.not_after)
    elif facts.not_before > now:
        since = f"{facts.not_before:%Y-%m-%d %H:%M}"
        yield Finding(
            name, Verdict.WRONG, f"valid only from {since} UTC: is this clock right?", facts.not_after
        )
    elif facts.not_after - now <= EXPIRES_SOON:
        days = (facts.not_after - now).days
        yield Finding(
            name, Verdict.WARNING, f"until {until}, {days} days from now: {remedy}", facts.not_after
        )
    else:
        names = f", for {', '.join(facts.names)}" if facts.names else ""
        yield Finding(name, Verdict.OK, f"until {until}{names}", facts.not_after)


def _signing(folder: Folder) -> Iterator[Finding]:
    """The key by which configurations are signed."""
    public, key = _content(folder, CONFIGURATION_PUBLIC), _content(folder, CONFIGURATION_KEY)
    if public is not None and not is_public(public):
        what = f"is no ed25519 public key in PEM: restore it, or remove both halves and {AGAIN}"
        yield Finding(CONFIGURATION_PUBLIC, Verdict.WRONG, what)
        return
    if key is None or public is None:
        return
    try:
        fits = public_of(key, CONFIGURATION_KEY) == public
    except SigningError as error:
        yield Finding(CONFIGURATION_KEY, Verdict.WRONG, f"{error}: put the right one back")
        return
    if not fits:
        what = f"is not the key of {CONFIGURATION_PUBLIC}: put the right one back"
        yield Finding(CONFIGURATION_KEY, Verdict.WRONG, what)


def _server(folder: Folder, now: datetime) -> Iterator[Finding]:
    yield from _certificate(folder, SERVER_CERTIFICATE, "server", now)
    yield from _pair(folder, SERVER_KEY, SERVER_CERTIFICATE, certificates.belongs, "is not the key of")
    yield from _pair(folder, AUTHORITY_KEY, AUTHORITY_CERTIFICATE, certificates.belongs, "is not the key of")
    yield from _pair(
        folder, AUTHORITY_CERTIFICATE, SERVER_CERTIFICATE, certificates.issued_by, "is not the authority of"
    )


def _pair(
    folder: Folder, name: str, certificate: str, fits: Callable[[bytes, bytes], bool], text: str
) -> Iterator[Finding]:
    content, issued = _content(folder, name), _content(folder, certificate)
    if content is None or issued is None:
        return
    try:
        if not fits(issued, content):
            yield Finding(name, Verdict.WRONG, f"{text} {certificate}: put the right one back, or {AGAIN}")
    except CertificateError as error:
        if name.endswith(".key"):  # of a certificate it was told already
            yield Finding(name, Verdict.WRONG, f"{error}: put the right one back")


def _follows(folder: Folder, manifest: Manifest, gateways: tuple[str, ...]) -> Iterator[Finding]:
    """The files that follow from others; what they follow from must be right first."""
    if _content(folder, AUTHORITY_CERTIFICATE) is None:
        return
    try:
        names = certificates.facts(_content(folder, SERVER_CERTIFICATE) or b"").names
        expected = derived(folder, manifest, gateways, names)
    except (ProvisionError, CertificateError):
        return  # told where it is
    for name, content in expected.items():
        if _content(folder, name) not in (None, content):
            yield Finding(name, Verdict.WRONG, f"does not fit the other files: {AGAIN}")


def _strangers(folder: Folder, gateways: tuple[str, ...]) -> Iterator[Finding]:
    text = (_content(folder, PASSWORDS) or b"").decode(errors="replace")
    for account in accounts_of(text).keys() - accounts(gateways).keys():
        yield Finding(
            f"{GATEWAYS}/{account}",
            Verdict.MISSING,
            f"the broker has an account of that name: restore the folder, or {AGAIN} to withdraw it",
        )


def _content(folder: Folder, name: str) -> bytes | None:
    try:
        return folder.read(name)
    except ProvisionError:
        return None  # told where it is
