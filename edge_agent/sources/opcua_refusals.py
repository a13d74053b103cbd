"""What went wrong with an OPC UA server, as a sentence that says what to do."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

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
    where = f"the OPC UA server {urlsplit(settings.url).netloc}"
    if isinstance(error, UaStatusCodeError):
        return LostError(_of_status(ua.StatusCode(error.code).name, where, settings))
    return LostError(f"{where} {_of_connection(error, settings)}")


def _of_connection(error: Exception, settings: OpcUaSettings) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "can't be reached: nothing listens there; is it running?"
    if isinstance(error, TimeoutError):
        return "does not answer: it hangs, or the network swallows what is sent"
    if isinstance(error, ConnectionError) and settings.secure:
        return (
            f"ended the connection ({_told(error)}): where it happens at once, it may not trust this "
            "gateway's certificate"
        )
    if isinstance(error, ConnectionError):
        return f"ended the connection ({_told(error)})"
    if isinstance(error, OSError):
        return f"can't be reached: {_told(error)}"
    return f"gave an answer that can't be used: {_told(error)}"


def _of_status(status: str, where: str, settings: OpcUaSettings) -> str:
    if status in _ACCOUNT:
        account = settings.username or "no account (anonymous)"
        return f"{where} refuses {account} ({status}): look at username and password_file"
    if status in _CERTIFICATE:
        file = settings.certificate_file
        return (
            f"{where} rejects this gateway's certificate{f' {file.name}' if file else ''} "
            f"({status}): have it trusted there"
        )
    if status in _FULL:
        return f"{where} has no room for one more session ({status}): end others there"
    if status in ("BadSessionIdInvalid", "BadSessionClosed", "BadSessionNotActivated"):
        return f"{where} has forgotten the session ({status})"
    if status in ("BadSubscriptionIdInvalid", "BadNoSubscription"):
        return f"{where} has forgotten the subscription ({status})"
    return f"{where} answers {status}"


def _told(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
