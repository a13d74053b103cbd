"""What can go wrong between the push and a Grafana, as one sentence that says what to do."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_RUN_AGAIN: Final = "run the same command again, what is done already stays"
_LONGEST: Final = 300
"""Characters of a foreign message that are shown: a proxy's error page is long."""


class GrafanaError(Exception):
    """A Grafana could not be read or written; the message is a sentence for the user, without secrets.

    `status` is the HTTP status where there was one, else 0, and `said` what Grafana told with it.
    """

    def __init__(self, sentence: str, status: int = 0, said: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.said = said


@dataclass(frozen=True)
class Doing:
    """What was tried, for the sentence when it fails, and the permission that it takes, if any."""

    what: str
    permission: str = ""


def explain(error: Exception, doing: Doing, url: str, said: str) -> str:
    """The sentence of an error that grafana-client or what it sits on has raised; `said` came with it."""
    from grafana_client.client import GrafanaException, GrafanaTimeoutError
    from niquests.exceptions import ConnectTimeout, Timeout

    if isinstance(error, GrafanaTimeoutError | Timeout):
        connecting = isinstance(error.__cause__ or error, ConnectTimeout)
        how = "can't be reached in time" if connecting else "did not answer in time"
        return f"Grafana at {url} {how} to {doing.what}: look at it and at the network, then {_RUN_AGAIN}"
    if isinstance(error, GrafanaException) and error.status_code:
        return _status(error.status_code, shortened(said), doing, url)
    return _transport(error, url)


def message_of(response: Any) -> str:
    """The message in Grafana's answer, on one line."""
    if isinstance(response, dict):
        response = response.get("message") or response.get("status") or ""
    text = " ".join(str(response or "").split())
    return "a web page" if text.startswith("<") else text  # a proxy's; its tags say nothing


def shortened(text: str) -> str:
    """The text, not endless. Secrets are taken out before: half of one would not be found any more."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


_NOT_THERE: Final = (
    "there is no Grafana API under {url} (404): --url must be the address under which the browser shows "
    "Grafana's home, with its path where there is one, like https://host/grafana"
)
_NOT_READY: Final = (
    "Grafana at {url} is not ready, or its proxy can't reach it ({status}){told}: wait until its page opens "
    "in a browser, then " + _RUN_AGAIN
)
_CONFLICT: Final = (
    "Grafana at {url} refused to {what} ({status}){told}: somebody else changed it just now, or it "
    "exists where this token can't see it; run the same command again to see what is there"
)
_STATUS: Final = {
    401: "Grafana at {url} does not know this token (401){told}: make one for a service account there, under "
    "Administration, Users and access, and give it by --token-file or PALIER_GRAFANA_TOKEN",
    409: _CONFLICT,
    412: _CONFLICT,
    429: "Grafana at {url} or a proxy before it allows no more requests for now (429): wait, then "
    + _RUN_AGAIN,
    502: _NOT_READY,
    503: _NOT_READY,
    504: _NOT_READY,
}


def _status(status: int, said: str, doing: Doing, url: str) -> str:
    if status == 403:
        return _forbidden(said, doing, url)
    template = "Grafana at {url} failed to {what} ({status}){told}: " + (
        "its own log says why" if status >= 500 else "nothing was changed by that"
    )
    if status == 404 and not doing.permission:
        template = _NOT_THERE
    told = f" (it said: {said})" if said else ""
    return _STATUS.get(status, template).format(url=url, status=status, told=told, what=doing.what)


def _forbidden(said: str, doing: Doing, url: str) -> str:
    # Grafana itself names what is missing where it knows: "... Permissions needed: folders:create"
    named = re.search(r"[Pp]ermissions? needed: *([\w.:, |-]+)", said)
    permission = named[1].strip(" ,") if named else doing.permission
    role = "Admin" if "datasources" in permission else "Editor"
    return (
        f"Grafana at {url} does not allow this token to {doing.what} (403): its service account needs the "
        f"permission {permission}, which the role {role} has"
    )


def _transport(error: Exception, url: str) -> str:
    from niquests.exceptions import JSONDecodeError, ProxyError, SSLError, TooManyRedirects

    if isinstance(error, TooManyRedirects):
        return (
            f"{url} sends on to {_location(error)}, where the token must not follow: give by --url the "
            "address of Grafana itself, past redirects and login pages"
        )
    if isinstance(error, SSLError):
        return _tls(error, url)
    if isinstance(error, ProxyError):
        return f"the proxy before {url} can't be used: look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    return not_grafana(url) if isinstance(error, JSONDecodeError) else _connection(error, url)


def _connection(error: Exception, url: str) -> str:
    causes = tuple(_chain(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{url}: there is no host of this name; look at the spelling of --url and at the name server"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{url}: nothing listens there (connection refused); is Grafana started, is the port right?"
    last = causes[-1]
    told = f"{type(last).__name__}: {shortened(message_of(str(last)))}"
    return f"the connection to {url} failed ({told}): {_RUN_AGAIN}"


def _tls(error: Exception, url: str) -> str:
    told = " ".join(str(cause) for cause in _chain(error))
    if "WRONG_VERSION_NUMBER" in told or "record layer" in told.lower():
        return f"{url} does not speak TLS there: is it http:// and not https://, or another port?"
    if "match" in told or "not valid for" in told:
        return (
            f"{url}: its certificate is for another name; give by --url the name that the certificate has, "
            "or have one made for this name"
        )
    if "expired" in told:
        return f"{url}: its certificate has expired; renew it (or set this machine's clock right)"
    return (
        f"{url}: its certificate is signed by no authority that this machine knows; give the plant's own by "
        "--ca FILE (PEM)"
    )


def not_grafana(url: str) -> str:
    """The sentence where something answers, and not as Grafana's API does."""
    return (
        f"what answers under {url} is not Grafana's API (a login page or another server?): --url must be the "
        "address of Grafana itself, with its path where there is one, like https://host/grafana"
    )


def _location(error: Any) -> str:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    # Without its query: a login page's carries what it wants to come back with.
    return str(headers.get("Location", "another address")).partition("?")[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None)
        error = (
            error.__cause__ or error.__context__ or (reason if isinstance(reason, BaseException) else None)
        )
