"""What went wrong with an OPC UA server, as a sentence that says what to do."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from palier.wire.said import said

from .opcua_settings import OpcUaSettings

_CERTIFICATE: Final = (
    "BadCertificateInvalid",
    "BadCertificateUntrusted",
    "BadCertificateUriInvalid",
    "BadCertificateUseNotAllowed",
    "BadCertificateTimeInvalid",
    "BadCertificateIssuerTimeInvalid",
    "BadCertificateChainIncomplete",
    "BadCertificateRevoked",
    "BadSecurityChecksFailed",
)
_ACCOUNT: Final = (
    "BadUserAccessDenied",
    "BadIdentityTokenRejected",
    "BadIdentityTokenInvalid",
    "BadUserSignatureInvalid",
)
_FULL: Final = (
    "BadTooManySessions",
    "BadTooManySubscriptions",
    "BadTooManyMonitoredItems",
    "BadTcpNotEnoughResources",
)


class LostError(OSError):
    """A connection that ended, or could not be opened; the sentence says why."""


def sentence(error: Exception, settings: OpcUaSettings) -> OSError:
    """The error as one with a sentence; one that has it already is given back."""
    if isinstance(error, LostError) or type(error).__name__ == "CertificateError":
        return error if isinstance(error, OSError) else LostError(_told(error))
    server = urlsplit(settings.url).netloc
    if isinstance(error, UaStatusCodeError):
        return LostError(_of_status(ua.StatusCode(error.code).name, server, settings))
    return LostError(_of_connection(error, server, settings))


def _of_connection(error: Exception, server: str, settings: OpcUaSettings) -> str:
    if isinstance(error, ConnectionRefusedError):
        return said("opcua_nobody", server=server)
    if isinstance(error, TimeoutError):
        return said("opcua_hangs", server=server)
    if isinstance(error, ConnectionError) and settings.secure:
        return said("opcua_untrusting", server=server, why=_told(error))
    if isinstance(error, ConnectionError):
        return said("opcua_ended", server=server, why=_told(error))
    if isinstance(error, OSError):
        return said("opcua_unreached", server=server, why=_told(error))
    return said("opcua_garbage", server=server, why=_told(error))


def _of_status(status: str, server: str, settings: OpcUaSettings) -> str:
    if status in _ACCOUNT:
        account = settings.username or "no account (anonymous)"
        return said("opcua_account", server=server, account=account, status=status)
    if status in _CERTIFICATE:
        file = settings.certificate_file
        name = file.name if file else "-"
        return said("opcua_certificate", server=server, file=name, status=status)
    if status in _FULL:
        return said("opcua_full", server=server, status=status)
    if status in ("BadSessionIdInvalid", "BadSessionClosed", "BadSessionNotActivated"):
        return said("opcua_forgot_session", server=server, status=status)
    if status in ("BadSubscriptionIdInvalid", "BadNoSubscription"):
        return said("opcua_forgot_items", server=server, status=status)
    return said("opcua_status", server=server, status=status)


def _told(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
