"""Sends messages by e-mail and webhook, from a thread of its own: a slow server must not hold an alarm up."""

from __future__ import annotations

import hashlib
import http.client
import json
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from palier.historian.base import HistorianError
from palier.historian.rows import NoticeRow, RecordsBatch
from palier.locale import Catalogue
from palier.strict_toml import ConfigError

from . import notify
from .notice_text import body, subject
from .notify import Outbox, Pending
from .notify_settings import EmailSettings, NotifySettings, WebhookSettings

TIMEOUT_S: Final = 10.0
"""A mail server that greets slowly on purpose takes some seconds."""

MOST_WAIT_S: Final = 60.0
"""How long the thread sleeps at most: the clock may have been set meanwhile."""

EMAIL: Final = "email"
WEBHOOK: Final = "webhook"

log = structlog.get_logger(__name__)


class WholeSubjects(EmailPolicy):
    """A policy whose subjects arrive as they were written: the standard one loses some spaces between
    words that aren't ASCII, where it folds (CPython 3.11).
    """

    def fold(self, name: str, value: str) -> str:
        """The lines of a header."""
        if name.lower() != "subject":
            return str(super().fold(name, value))
        return f"{name}: {Header(str(value), header_name=name).encode(linesep=self.linesep)}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        """The same as it is sent."""
        if name.lower() != "subject":
            return bytes(super().fold_binary(name, value))
        return self.fold(name, value).encode("ascii")


class DeliveryError(Exception):
    """A message was not taken; it is tried again. The sentence says by whom and why."""


Deliver = Callable[[Pending], None]
"""Sends one message. Raises DeliveryError."""


class NoticeStore(Protocol):
    """What the notifier needs of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction. Raises Unavailable."""
        ...


def channels(settings: NotifySettings, timezone: str) -> dict[str, Deliver]:
    """How to send, by channel, with times of a zone. Raises ConfigError for a secret that can't be read."""
    found: dict[str, Deliver] = {}
    if (email := settings.email) is not None:
        email.password_text()
        found[EMAIL] = lambda pending: send_email(email, pending, timezone)
    if (webhook := settings.webhook) is not None:
        webhook.token_text()
        found[WEBHOOK] = lambda pending: post_webhook(webhook, pending)
    return found


def send_email(settings: EmailSettings, pending: Pending, timezone: str) -> None:
    """One message to all addresses. Raises DeliveryError."""
    try:
        with _smtp(settings) as client:
            refused = client.send_message(_message(settings, pending, timezone))
    except (smtplib.SMTPException, OSError, ConfigError) as error:
        raise DeliveryError(f"mail server {settings.host}:{settings.port}: {_brief(error)}") from error
    if refused:
        log.warning("mail_refused", addresses=sorted(refused), notice=pending.id)


def _smtp(settings: EmailSettings) -> smtplib.SMTP:
    """A session that is authenticated. The secret is read for each, so that it can be changed."""
    context = _context(settings.ca_file)
    if settings.security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=TIMEOUT_S, context=context
        )
    else:
        client = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
    try:
        if settings.security == "starttls":
            client.starttls(context=context)
        if settings.username is not None:
            client.login(settings.username, settings.password_text() or "")
    except BaseException:
        client.close()
        raise
    return client


def _message(settings: EmailSettings, pending: Pending, timezone: str) -> EmailMessage:
    """The same message at each attempt, so that a mailbox can see that it is."""
    words = Catalogue(settings.lang)
    message = EmailMessage(policy=WholeSubjects())
    message["Subject"] = subject(pending, words)
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message["Date"] = format_datetime(datetime.fromtimestamp(pending.ts_ns // 10**9, UTC))
    message["Message-ID"] = f"<{hashlib.sha256(pending.id.encode()).hexdigest()[:32]}@palier>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice in answer
    message.set_content(body(pending, words, timezone))
    return message


def post_webhook(settings: WebhookSettings, pending: Pending) -> None:
    """One JSON object by POST; redirects are not followed. Raises DeliveryError."""
    parts = urlsplit(settings.url)
    host, path = parts.hostname or "", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    words = Catalogue(settings.lang)
    told: dict[str, object] = {"id": pending.id, "what": pending.what}
    told |= {"text": subject(pending, words), "alarm": pending.alarm.told()}
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=TIMEOUT_S, context=_context(settings.ca_file)
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    try:
        token = settings.token_text()
        headers = {"Content-Type": "application/json", "Idempotency-Key": pending.id}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("POST", path, json.dumps(told, ensure_ascii=False).encode(), headers)
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException, ConfigError, ValueError) as error:
        raise DeliveryError(f"webhook {host}: {_brief(error)}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise DeliveryError(f"webhook {host} answered {answer.status} {answer.reason}")


def _context(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


class Notifier:
    """Sends what waits. `start`, `take` what became durable, then `stop`. `waiting` is how much waits."""

    def __init__(
        self,
        store: NoticeStore,
        rows: Iterable[NoticeRow],
        deliver: Mapping[str, Deliver],
        *,
        wall_ns: Callable[[], int],
    ) -> None:
        """`rows` are what the records hold."""
        self.channels = tuple(deliver)
        self.sent = 0
        self.given_up = 0
        self._store = store
        self._deliver = deliver
        self._wall_ns = wall_ns
        self._changed = threading.Condition()
        self._stopping = False
        self._outbox, self._gone = notify.restore(rows, self.channels)
        self._thread = threading.Thread(target=self._run, name="ingest-notify", daemon=True)

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        return len(self._outbox)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the attempt that is under way; what waits is in the records."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout=2 * TIMEOUT_S)

    def take(self, pending: Iterable[Pending]) -> None:
        """These messages, whose rows are durable, are to be sent."""
        with self._changed:
            self._outbox, gone = notify.take(self._outbox, pending)
            self._gone += gone
            self._changed.notify()

    def turn(self) -> bool:
        """Send the message that is due, if one is; whether one was tried. Raises HistorianError."""
        with self._changed:
            gone, self._gone = self._gone, ()
            pending = notify.due(self._outbox, self._wall_ns())
            if pending is not None:
                self._outbox, pending = notify.begin(self._outbox, pending.id, self._wall_ns())
        rows = gone if pending is None else (*gone, pending.row())
        if rows:
            self._store.commit(RecordsBatch(notices=rows))
        if pending is None:
            return False
        self._try(pending)
        return True

    def _try(self, pending: Pending) -> None:
        try:
            self._deliver[pending.channel](pending)
        except Exception as error:  # noqa: BLE001 - also what our own text stumbles over is tried so often
            if not notify.is_hopeless(pending):
                log.warning("notice_not_sent", notice=pending.id, attempt=pending.attempts, error=str(error))
                return
            self.given_up += 1
            log.error("notice_given_up", notice=pending.id, attempts=pending.attempts, error=str(error))
        else:
            self.sent += 1
        self._end(pending)

    def _end(self, pending: Pending) -> None:
        with self._changed:
            self._outbox = notify.end(self._outbox, pending.id)
        self._store.commit(RecordsBatch(notices=(NoticeRow(pending.id, None),)))

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                if not self._gone:
                    self._changed.wait_for(self._has_work, timeout=self._pause_s(self._outbox))
                if self._stopping:
                    return
            self._turn_safely()

    def _turn_safely(self) -> None:
        """Nothing that goes wrong with one message ends the thread."""
        try:
            self.turn()
        except HistorianError as error:
            log.warning("notice_not_noted", error=str(error))
        except Exception as error:  # noqa: BLE001 - the attempt is counted: it can't go on for ever
            log.error("notice_failed", error=repr(error))

    def _has_work(self) -> bool:
        return self._stopping or notify.due(self._outbox, self._wall_ns()) is not None

    def _pause_s(self, outbox: Outbox) -> float:
        wait_ns = notify.wait_ns(outbox, self._wall_ns())
        return MOST_WAIT_S if wait_ns is None else min(max(wait_ns / 1e9, 0.0), MOST_WAIT_S)
