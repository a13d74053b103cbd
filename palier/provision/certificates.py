"""The private authority and the certificate of the broker: X.509 (RFC 5280) with ECDSA on P-256.

P-256 because every TLS library of a small gateway has it, and its handshake costs a fraction of RSA's.
PEM in, PEM out; the time comes in as an argument. Keys are never in a message or a repr.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS: Final = 7300
"""20 years, the life of a plant's gateways: a new authority has to be carried to each of them."""

SERVER_DAYS: Final = 825
"""27 months: the longest that every common client takes from a private authority (Apple's refuse more)."""

LONGEST_DAYS: Final = 3650

BACKDATED: Final = timedelta(days=1)
"""Valid from a day ago: a gateway whose clock holds local time as UTC is up to half a day behind."""

NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*"
)
"""A host name (RFC 1123; with `_`, as plants' Windows networks have it)."""


class CertificateError(ValueError):
    """A certificate, a key or a name that can't be used; the sentence holds nothing of a key."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says: for how long, and for which names (in its order)."""

    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]


def host_name(text: str) -> str:
    """A host name or IP address as a certificate has it. CertificateError where it is neither."""
    if "%" not in text:  # an address with a zone is one machine's own name for it
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            pass
    numeric = text.rpartition(".")[2].isdigit()  # 10.0.0.300 is a mistake, not a name
    if not NAME.fullmatch(text) or numeric:
        raise CertificateError(
            "a host must be a name like broker.example.org or an IP address, without a port, a blank, a "
            f"wildcard or an accent (write xn--… there), got {text[:80]!r}"
        )
    return text.lower()


def new_key() -> bytes:
    """A private key as PEM (PKCS #8). Not encrypted: services start without anybody to type a pass phrase."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def issue_authority(key_pem: bytes, site: str, now: datetime) -> bytes:
    """The authority's certificate, signed by itself; made anew with the same key, what it issued holds."""
    key, name = _key(key_pem), _name(site, "Palier authority")
    builder = (
        _builder(name, name, key.public_key(), now, now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def issue_server(
    key_pem: bytes,
    names: Sequence[str],
    *,
    site: str,
    authority_pem: bytes,
    authority_key_pem: bytes,
    now: datetime,
    days: int = SERVER_DAYS,
) -> bytes:
    """The broker's certificate for these names (`host_name`). It never outlives the authority's."""
    key, authority, signer = _key(key_pem), _certificate(authority_pem), _key(authority_key_pem)
    until = min(now + timedelta(days=days), authority.not_valid_after_utc)
    if until <= now:
        raise CertificateError("the authority has expired, so it can't issue: add --renew authority")
    builder = (
        _builder(_name(site, "broker"), authority.subject, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def facts(pem: bytes) -> Facts:
    """What a certificate says. CertificateError where it is none."""
    certificate = _certificate(pem)
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in san)
    except x509.ExtensionNotFound:
        names = ()
    except ValueError as error:
        raise CertificateError(f"is a damaged certificate: {error}") from error
    return Facts(certificate.not_valid_before_utc, certificate.not_valid_after_utc, names)


def check_key(pem: bytes) -> None:
    """CertificateError where it is not a private key as `new_key` makes them."""
    _key(pem)


def belongs(certificate_pem: bytes, key_pem: bytes) -> bool:
    """Whether a certificate is that key's. CertificateError where either is none."""
    return _certificate(certificate_pem).public_key() == _key(key_pem).public_key()


def issued_by(certificate_pem: bytes, authority_pem: bytes) -> bool:
    """Whether that authority signed that certificate. CertificateError where either is none."""
    try:
        _certificate(certificate_pem).verify_directly_issued_by(_certificate(authority_pem))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(site: str, common: str) -> x509.Name:
    """The site is a unit's name, which may be as long as ours are; a common name must be short."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Palier"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, site),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CertificateError("is not a certificate in PEM") from None


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        raise CertificateError("is not a private key in PEM without a pass phrase") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError("is not an ECDSA key")
    return key
