"""Messages to people: counted before they are tried, tried again, replaced by news, given up in the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from ingest import notify
from ingest.alarm_records import announcements, batch_of
from ingest.alarms import Alarms, Announce, step
from ingest.notify import LONGEST_RETRY_NS, MAX_ATTEMPTS, Pending
from ingest.notify_delivery import DeliveryError, Notifier, WholeSubjects, channels
from ingest.notify_settings import EmailSettings, NotifySettings, WebhookSettings
from palier.alarms import AlarmKey
from palier.historian.base import Unavailable
from palier.historian.records import Records, RecordsBatch
from palier.historian.rows import NoticeRow
from palier.strict_toml import ConfigError
from tests.support.alarms import KEY, velocity
from tests.support.mail_server import Hook, MailServer, running
from tests.support.services import free_port
from tests.support.waiting import eventually

NOW_NS = 1_780_000_000 * 10**9


def told(*values: float) -> tuple[Announce, ...]:
    _, effects = step(Alarms(), [velocity(k, v) for k, v in enumerate(values, start=1)])
    return announcements(effects)


def pending(*values: float, channel: str = "email") -> Pending:
    return notify.plan(told(*values), [channel], NOW_NS)[-1]


def test_each_channel_gets_its_own_message_and_the_same_one_again() -> None:
    planned = notify.plan(told(5.0, 8.0), ["email", "webhook"], NOW_NS)
    assert [(p.channel, p.what.value) for p in planned] == [
        ("email", "raised"),
        ("webhook", "raised"),
        ("email", "escalated"),
        ("webhook", "escalated"),
    ]
    assert planned == notify.plan(told(5.0, 8.0), ["email", "webhook"], NOW_NS)
    assert len({p.id for p in planned}) == 4


def test_news_of_an_alarm_replace_what_of_it_still_waits() -> None:
    older, newer = notify.plan(told(5.0, 8.0), ["email"], NOW_NS)
    outbox, gone = notify.take({}, [older, newer])
    assert (list(outbox), gone) == ([newer.id], (NoticeRow(older.id, None),))


def test_the_pauses_grow_to_an_hour_and_end_after_a_day() -> None:
    message = pending(8.0)
    outbox, now_ns, pauses = {message.id: message}, NOW_NS, []
    while not notify.is_hopeless(outbox[message.id]):
        found = notify.due(outbox, now_ns)
        assert found is not None
        outbox, tried = notify.begin(outbox, found.id, now_ns)
        assert notify.due(outbox, now_ns) is None
        pauses.append((tried.next_ns - now_ns) // 10**9)
        now_ns = tried.next_ns
    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) == 3600
    assert 20 * 3600 < sum(pauses) < 26 * 3600
    assert len(pauses) == MAX_ATTEMPTS


def test_a_clock_that_went_back_holds_no_message_up() -> None:
    message = pending(8.0)
    outbox, _ = notify.begin({message.id: message}, message.id, NOW_NS)
    assert notify.due(outbox, NOW_NS - 10 * LONGEST_RETRY_NS) is not None
    assert notify.wait_ns(outbox, NOW_NS) == 30 * 10**9
    assert notify.wait_ns({}, NOW_NS) is None


def test_what_waits_survives_a_restart_with_its_attempts() -> None:
    message = pending(8.0)
    _, tried = notify.begin({message.id: message}, message.id, NOW_NS)
    rows = [tried.row(), NoticeRow("strange", "{}"), pending(8.0, channel="pager").row()]
    restored, gone = notify.restore(rows, ["email"])
    assert restored[message.id].attempts == 1
    assert restored[message.id].alarm.key == KEY
    assert {row.id for row in gone} == {"strange", rows[2].id}


def test_the_outbox_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "MAX_NOTICES", 2)
    others = [step(Alarms(), [velocity(1, 8.0, key=_key(n))])[1] for n in range(4)]
    planned = [notify.plan(announcements(effects), ["email"], NOW_NS)[0] for effects in others]
    outbox, gone = notify.take({}, planned)
    assert (len(outbox), len(gone)) == (2, 2)


def _key(n: int) -> AlarmKey:
    return replace(KEY, point=str(n))


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(tmp_path / "records.sqlite")) as store:
        yield store


def notifier(records: Records, settings: NotifySettings, wall_ns: int = NOW_NS) -> Notifier:
    return Notifier(
        records, records.notices(), channels(settings, "Africa/Casablanca"), wall_ns=lambda: wall_ns
    )


def raise_alarm(records: Records, who: Notifier, *values: float) -> tuple[Pending, ...]:
    """As the ingest does: transition and message in one transaction, then the notifier."""
    _, effects = step(Alarms(), [velocity(k, v) for k, v in enumerate(values, start=1)])
    planned = notify.plan(announcements(effects), who.channels, NOW_NS)
    records.commit(batch_of(effects, [p.row() for p in planned]))
    who.take(planned)
    return planned


def test_an_e_mail_says_what_where_and_what_to_do(records: Records, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim\n")
    with running(MailServer()) as server:
        email = EmailSettings(
            host="127.0.0.1",
            port=server.port,
            security="none",
            sender="palier@example.org",
            to=("atelier@example.org", "chef@example.org"),
            username="palier",
            password_file=tmp_path / "secret",
        )
        who = notifier(records, NotifySettings(email=email))
        (message,) = raise_alarm(records, who, 8.0)
        assert [row.id for row in records.notices()] == [message.id]
        assert who.turn()
        assert not who.turn()
    (got,) = server.messages
    assert server.logins == [("palier", "geheim")]
    assert server.recipients == ["atelier@example.org", "chef@example.org"]
    assert got["Subject"] == f"[Palier] DANGER {KEY.machine}, point {KEY.point} : vibration, apparue"
    text = got.get_content()
    assert "Vitesse vibratoire efficace, 10–1000\u00a0Hz\u00a0: 8,00\u00a0mm/s" in text
    assert "(limite 7,10\u00a0mm/s)" in text
    assert "À faire\u00a0: planifier" in text
    assert (records.notices(), who.waiting, who.sent) == ((), 0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "[Palier] زال P-101: نموذج، رُفع تعليقه",
        "[Palier] disparue Atelier-2-pompe-04/palier-coté-accouplement : modèle, masquée, machine à l'arrêt",
        "[Palier] DANGER P-101/1: ledger of frames, suppressed, machine stopped" + " and so on" * 9,
    ],
)
def test_a_subject_arrives_as_it_was_written(text: str) -> None:
    message = EmailMessage(policy=WholeSubjects())
    message["Subject"] = text
    sent = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
    assert max(map(len, sent.splitlines())) <= 78
    assert message_from_bytes(sent, policy=default)["Subject"] == text


def test_a_webhook_gets_json_with_its_token_and_an_id_to_know_it_by(records: Records, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("jeton")
    with running(Hook()) as server:
        hook = WebhookSettings(url=server.url, token_file=tmp_path / "token", lang="en")
        who = notifier(records, NotifySettings(webhook=hook))
        (message,) = raise_alarm(records, who, 8.0)
        who.turn()
    ((headers, got),) = server.posts
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Bearer jeton", message.id)
    assert (got["what"], got["alarm"]["level"], got["alarm"]["machine"]) == ("raised", "danger", KEY.machine)
    assert got["text"].startswith("[Palier] DANGER")


def test_a_refusal_is_tried_again_and_a_restart_forgets_neither_message_nor_attempts(
    records: Records,
) -> None:
    with running(MailServer()) as server:
        server.refusing = True
        settings = NotifySettings(
            email=EmailSettings(
                host="127.0.0.1",
                port=server.port,
                security="none",
                sender="p@example.org",
                to=("a@example.org",),
            )
        )
        who = notifier(records, settings)
        raise_alarm(records, who, 8.0)
        assert who.turn()
        assert not who.turn()  # its time has not come
        again = notifier(records, settings, NOW_NS + 31 * 10**9)
        server.refusing = False
        assert again.turn()
        assert (server.attempts, len(server.messages), records.notices()) == (2, 1, ())


@pytest.mark.parametrize("status", [302, 401, 500])
def test_only_success_counts(records: Records, status: int) -> None:
    with running(Hook()) as server:
        server.status = status
        who = notifier(records, NotifySettings(webhook=WebhookSettings(url=server.url)))
        raise_alarm(records, who, 8.0)
        who.turn()
    assert (len(server.posts), who.waiting, who.sent) == (1, 1, 0)


def test_nobody_there_is_a_reason_to_wait(records: Records) -> None:
    hook = WebhookSettings(url=f"http://127.0.0.1:{free_port()}/")
    mail = EmailSettings(
        host="127.0.0.1", port=free_port(), security="none", sender="p@example.org", to=("a@example.org",)
    )
    who = notifier(records, NotifySettings(email=mail, webhook=hook))
    raise_alarm(records, who, 8.0)
    assert [who.turn(), who.turn(), who.turn()] == [True, True, False]
    assert who.waiting == 2


def test_a_message_is_given_up_in_the_end(records: Records) -> None:
    def away(_: Pending) -> None:
        raise DeliveryError("nobody there")

    now = [NOW_NS]
    who = Notifier(records, (), {"email": away}, wall_ns=lambda: now[0])
    raise_alarm(records, who, 8.0)
    while who.waiting:
        assert who.turn()
        now[0] += LONGEST_RETRY_NS
    assert (who.given_up, who.sent, records.notices()) == (1, 0, ())


class Away:
    """Records whose disk is full."""

    def commit(self, batch: RecordsBatch) -> None:
        raise Unavailable("the disk is full")


def test_an_attempt_that_can_not_be_counted_is_not_made() -> None:
    sent: list[Pending] = []
    who = Notifier(Away(), (), {"email": sent.append}, wall_ns=lambda: NOW_NS)
    who.take(notify.plan(told(8.0), ["email"], NOW_NS))
    with pytest.raises(Unavailable):
        who.turn()
    assert sent == []


def test_the_thread_sends_what_it_is_given_and_ends(records: Records) -> None:
    sent: list[str] = []
    taken = threading.Event()

    def deliver(message: Pending) -> None:
        sent.append(message.what.value)
        taken.set()

    who = Notifier(records, (), {"email": deliver}, wall_ns=lambda: NOW_NS)
    who.start()
    try:
        raise_alarm(records, who, 8.0)
        assert taken.wait(60)
        eventually(lambda: who.waiting == 0, what="an empty outbox")
    finally:
        who.stop()
    assert sent == ["raised"]
    assert threading.active_count() >= 1
    assert "ingest-notify" not in {thread.name for thread in threading.enumerate()}


def errors(kind: type[EmailSettings] | type[WebhookSettings], values: dict[str, object]) -> str:
    with pytest.raises(ValueError) as caught:
        kind.model_validate(values)
    return str(caught.value)


MAIL = {"host": "mail.example.org", "sender": "p@example.org", "to": ["a@example.org"]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"security": "none"}, "insecure = true"),
        ({"to": []}, "at least 1"),
        ({"sender": "p@example.org\nBcc: x@example.org"}, "must be an address"),
        ({"lang": "de"}, "lang must be one of"),
        ({"pasword_file": "x"}, "Extra inputs"),
    ],
)
def test_a_mail_server_that_can_not_be_right_is_refused(change: dict[str, object], sentence: str) -> None:
    assert sentence in errors(EmailSettings, MAIL | change)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://example.org/", "must be http"),
        ("http://example.org/", "insecure = true"),
        ("https://user:secret@example.org/", "no password"),
        ("https:///x", "must be http"),
    ],
)
def test_a_webhook_that_can_not_be_right_is_refused(url: str, sentence: str) -> None:
    assert sentence in errors(WebhookSettings, {"url": url})


def test_a_secret_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    settings = NotifySettings(
        webhook=WebhookSettings(url="https://example.org", token_file=tmp_path / "none")
    )
    with pytest.raises(ConfigError, match="can't be read"):
        channels(settings, "Africa/Casablanca")


def ids(rows: Iterable[NoticeRow]) -> list[str]:
    return [row.id for row in rows]


def test_no_secret_is_in_a_message_that_waits(records: Records) -> None:
    who = Notifier(records, (), {"email": lambda _: None}, wall_ns=lambda: NOW_NS)
    (message,) = raise_alarm(records, who, 8.0)
    (row,) = records.notices()
    assert ids([row]) == [message.id]
    assert set(json.loads(row.value or "")) == {"channel", "what", "alarm", "ts_ns", "next_ns", "attempts"}
