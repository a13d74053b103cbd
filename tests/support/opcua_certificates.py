"""Certificates of OPC UA applications, made for a test."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Application:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def write(self, folder: Path, name: str) -> Path:
        """NAME.pem and NAME.key, and NAME.der beside them; the path of the first."""
        folder.mkdir(parents=True, exist_ok=True)
        pem = folder / f"{name}.pem"
        pem.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.der").write_bytes(self.certificate.public_bytes(serialization.Encoding.DER))
        key = folder / f"{name}.key"
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        key.chmod(0o600)
        return pem


@cache
def a_key(which: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Made once for each `which`: it takes a tenth of a second."""
    return rsa.generate_private_key(65537, bits)


def application(
    name: str,
    *,
    which: int = 0,
    bits: int = 2048,
    days: float = 365,
    since_days: float = 1,
    uri: str | None = None,
    issuer: Application | None = None,
    authority: bool = False,
) -> Application:
    """A certificate for `days` from now, self-signed without an issuer; `uri` "" leaves the URI out."""
    key, now = a_key(which, bits), dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    if uri != "":
        names.insert(0, x509.UniformResourceIdentifier(uri or f"urn:essai:{name}"))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - since_days * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.KeyUsage(
                **dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment"), True),
                **dict.fromkeys(("data_encipherment", "key_cert_sign", "crl_sign"), True),
                **dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False),
            ),
            critical=False,
        )
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False
        )
    )
    return Application(built.sign(issuer.key if issuer else key, hashes.SHA256()), key)
