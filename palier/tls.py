"""TLS to a broker: what is trusted, why a connection failed, and until when a certificate holds.

Standard library only: the agent on a gateway uses it too.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

EXPIRES_SOON: Final = timedelta(days=30)
"""Told so long ahead: a certificate is renewed by a human, who may be on leave or far from the gateways."""

LOOK_S: Final = 5.0
"""A broker that has not shaken hands by then is not asked until when its certificate holds."""

# OpenSSL's x509_vfy.h
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_REVOKED: Final = 23
_OTHER_NAME: Final = (62, 64)
_OTHER_AUTHORITY: Final = (18, 19, 20, 21)

_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE")
_OLD_TLS: Final = (
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "WRONG_SSL_VERSION",
)


class Broker(Protocol):
    """Where a broker is, and the authority of its certificate; None: no TLS."""

    @property
    def host(self) -> str:
        """Its name or address, which its certificate must hold."""

    @property
    def port(self) -> int:
        """Its TCP port."""

    @property
    def tls_ca(self) -> Path | None:
        """A file of certificates in PEM."""


def client_context(ca: Path) -> ssl.SSLContext:
    """Trusts the authorities of that file and no other, checks the host's name, and speaks TLS 1.2 or later:
    1.0 and 1.1 are broken (RFC 8996), whatever the system's own configuration allows.

    Raises OSError (ssl.SSLError is one) for a file that can't be read or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=str(ca))
    return context


def why_not(error: Exception, broker: Broker) -> str:
    """Why a broker could not be reached, and what to do: a sentence that follows the broker's name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, broker)
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    if reason in _OLD_TLS:
        return "it speaks no TLS of version 1.2 or later, and older ones are broken: update the broker"
    if reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return f"tls_ca {broker.tls_ca} holds no certificate in PEM: copy ca.crt of `palier provision` there"
    if reason in _NO_TLS or (broker.tls_ca is not None and isinstance(error, ConnectionResetError)):
        return f"what listens on port {broker.port} does not speak TLS: give the broker's port for TLS, 8883"
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return f"tls_ca {broker.tls_ca} can't be read: {error.strerror}"
    return _unanswered(error)


def hung_up(broker: Broker) -> str:
    """Said of a broker that ended the connection before it answered anything."""
    if broker.tls_ca is not None:
        return "the broker closed the connection without an answer"
    return (
        f"the broker closed the connection without an answer: where port {broker.port} speaks TLS, give "
        "tls_ca, the certificate of its authority"
    )


def certificate_ends(broker: Broker) -> datetime | None:
    """When TLS to that broker ends: its certificate, or the authority's in `tls_ca`, whichever is earlier.

    Connects, and waits up to LOOK_S. None without TLS, and where nobody answers or nobody is trusted: why
    not, the connection itself tells.
    """
    if broker.tls_ca is None:
        return None
    try:
        context = client_context(broker.tls_ca)
        with (
            socket.create_connection((broker.host, broker.port), LOOK_S) as plain,
            context.wrap_socket(plain, server_hostname=broker.host) as wrapped,
        ):
            return _earliest(wrapped, context)
    except (OSError, ValueError):  # ValueError: a host name that can't be one
        return None


def peer_ends(connection: object) -> datetime | None:
    """When TLS over that socket ends, as `certificate_ends`; None for one without TLS."""
    if not isinstance(connection, ssl.SSLSocket):
        return None
    return _earliest(connection, connection.context)


def _earliest(wrapped: ssl.SSLSocket, context: ssl.SSLContext) -> datetime | None:
    """Of the certificate and of the authorities that may have issued it: with several in the file (an old one
    and its successor) the latest of these counts."""
    peer = _ends(wrapped.getpeercert() or {})
    authorities = [end for told in context.get_ca_certs() if (end := _ends(told)) is not None]
    ends = [end for end in (peer, max(authorities, default=None)) if end is not None]
    return min(ends, default=None)


def _ends(told: Mapping[str, object]) -> datetime | None:
    text = told.get("notAfter")
    if not isinstance(text, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _untrusted(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    match error.verify_code:
        case code if code == _EXPIRED:
            return (
                "its certificate, or its authority's, has expired: `palier provision FOLDER --check` tells "
                "which, --renew renews it; and is the clock of this machine right?"
            )
        case code if code == _NOT_YET_VALID:
            return "its certificate is not valid yet: is the clock of this machine right?"
        case code if code == _REVOKED:
            return "its certificate was revoked by its authority: issue another one"
        case code if code in _OTHER_NAME:
            return (
                f"its certificate is not for {broker.host}: use a name that it holds, or add this one by "
                f"`palier provision FOLDER --host {broker.host}`"
            )
        case code if code in _OTHER_AUTHORITY:
            return (
                f"its certificate is not of the authority in {broker.tls_ca}: copy ca.crt of the folder that "
                "the broker runs with; if that is done already, something else answers there"
            )
    return f"its certificate is not trusted: {error.verify_message or error}"


def _unanswered(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f"its host name is not known here: {error.strerror}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time: check host, port and firewall"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused): start the broker, and check host and port"
    return f"{error}" or type(error).__name__
