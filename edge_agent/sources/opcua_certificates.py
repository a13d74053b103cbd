"""Certificates of an OPC UA connection: who we are, who the server must be, and how long that holds.

They are read at each connection, so that a renewed file counts from the next one on. cryptography comes with
asyncua and is imported here only, by a source that is secured.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .opcua_settings import OpcUaSettings

TOLD_BEFORE: Final = dt.timedelta(days=30)
"""As for the broker's certificate: time enough to get a new one trusted at the server."""

SMALLEST_KEY: Final = 2048
"""Bits that Basic256Sha256 asks for at least (OPC UA Part 7)."""


class CertificateError(OSError):
    """A certificate that can't be used now; the sentence says which and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """This gateway's own certificate and key, and the URI under which it calls itself."""

    certificate: bytes  # DER
    key: bytes  # DER, PKCS 8
    uri: str
    thumbprint: str
    note: str  # that it ends soon; empty while it does not


def own_identity(settings: OpcUaSettings, now: dt.datetime) -> Identity:
    """The files of the settings, checked. Raises CertificateError."""
    file, key_file = settings.certificate_file, settings.key_file
    if file is None or key_file is None:
        raise CertificateError("certificate_file and key_file are missing")
    certificate, key = read_certificate(file), _read_key(key_file)
    note = check_dates(certificate, f"this gateway's certificate {file.name}", now)
    if certificate.public_key() != key.public_key():
        raise CertificateError(f"key_file {key_file} is not the key of certificate_file {file}")
    if key.key_size < SMALLEST_KEY:
        raise CertificateError(f"key_file {key_file} must have {SMALLEST_KEY} bits, it has {key.key_size}")
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Identity(der, pkcs8, _uri(certificate, file), thumbprint(certificate), note)


def check_server(der: bytes, settings: OpcUaSettings, now: dt.datetime) -> str:
    """Whether the server that shows this certificate is the right one: a note where it ends soon, else "".

    Raises CertificateError where it is another than the pinned one, not of the authority, or out of date.
    """
    try:
        shown = x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise CertificateError(f"the server's certificate can't be read: {error}") from error
    if settings.server_certificate_file is not None:
        pinned = read_certificate(settings.server_certificate_file)
        if pinned.fingerprint(hashes.SHA256()) != shown.fingerprint(hashes.SHA256()):
            raise CertificateError(
                f"the server shows another certificate (thumbprint {thumbprint(shown)}) than "
                f"{settings.server_certificate_file.name} ({thumbprint(pinned)}): if it was renewed, put the "
                "new one into server_certificate_file, else somebody pretends to be the server"
            )
    if settings.server_ca_file is not None:
        authority = read_certificate(settings.server_ca_file)
        check_dates(authority, f"the authority's certificate {settings.server_ca_file.name}", now)
        try:
            shown.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise CertificateError(
                f"the server's certificate (thumbprint {thumbprint(shown)}) was not issued by "
                f"{settings.server_ca_file.name}: give the authority that did, or pin the certificate"
            ) from error
        _check_host(shown, settings.url)
    return check_dates(shown, "the server's certificate", now)


def _check_host(shown: x509.Certificate, url: str) -> None:
    """The authority also vouches for other stations, this gateway among them: the certificate must be that of
    the host of the url (OPC UA Part 4, 6.1.3). Raises CertificateError.
    """
    host = urlsplit(url).hostname or ""
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        held = [*names.get_values_for_type(x509.DNSName)]
        held += map(str, names.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:
        held = []
    if host.lower() not in {name.lower() for name in held}:
        raise CertificateError(
            f"the server's certificate (thumbprint {thumbprint(shown)}) is for "
            f"{', '.join(held) or 'no host'}, the url says {host}: another station of the same authority may "
            "pretend to be the server; write the url with a name of the certificate, or pin the certificate "
            "by server_certificate_file"
        )


def check_dates(certificate: x509.Certificate, what: str, now: dt.datetime) -> str:
    """A note where it ends within thirty days, else "". Raises CertificateError where it does not hold."""
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if now >= ends:
        raise CertificateError(f"{what} expired on {ends:%Y-%m-%d}: renew it")
    if now < begins:
        raise CertificateError(
            f"{what} is not valid before {begins:%Y-%m-%d %H:%M} UTC, and here it is {now:%Y-%m-%d %H:%M}: "
            "is this gateway's clock right?"
        )
    return f"{what} expires on {ends:%Y-%m-%d}: renew it before" if ends - now <= TOLD_BEFORE else ""


def read_certificate(file: Path) -> x509.Certificate:
    """A certificate of a PEM or DER file. Raises CertificateError."""
    data = _content(file)
    try:
        return (
            x509.load_pem_x509_certificate(data)
            if b"-----BEGIN" in data
            else x509.load_der_x509_certificate(data)
        )
    except ValueError as error:
        raise CertificateError(
            f"{file} must be a certificate as PEM or DER, and can't be read: {error}"
        ) from error


def thumbprint(certificate: x509.Certificate) -> str:
    """As servers list it: the SHA-1 of the certificate (OPC UA Part 4, 3.1), a name and no proof."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303


def _read_key(file: Path) -> RSAPrivateKey:
    data = _content(file)
    try:
        key = (
            serialization.load_pem_private_key(data, None)
            if b"-----BEGIN" in data
            else serialization.load_der_private_key(data, None)
        )
    except (TypeError, ValueError) as error:  # TypeError: it is encrypted
        raise CertificateError(
            f"key_file {file} must be an RSA key as PEM or DER without a password"
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise CertificateError(f"key_file {file} must be an RSA key, it is a {type(key).__name__}")
    return key


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(f"{file} can't be read: {error.strerror}") from error


def _uri(certificate: x509.Certificate, file: Path) -> str:
    """The application URI that every OPC UA certificate must hold (Part 6, 6.2.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    if not uris:
        raise CertificateError(
            f"certificate_file {file} must hold an application URI among its subject alternative names, it "
            "does not: servers refuse it; make it anew with subjectAltName=URI:urn:…"
        )
    return str(uris[0])
