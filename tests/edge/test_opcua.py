"""OPC UA without a server: its table, certificates, values and times, and when a silence is believed."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from edge_agent.sources.absent import BAD_EVERY_S, Absent
from edge_agent.sources.opcua import OpcUaSource, open_source
from edge_agent.sources.opcua_certificates import CertificateError, check_server, own_identity
from edge_agent.sources.opcua_refusals import LostError, sentence
from edge_agent.sources.opcua_session import _raw
from edge_agent.sources.opcua_settings import OpcUaSettings, read_table
from edge_agent.sources.opcua_values import plausible, reading_of, source_ns
from edge_agent.sources.opcua_watch import SLACK_S, Watch
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE
from palier.strict_toml import parse_toml
from tests.support.listened import listened
from tests.support.opcua_certificates import Application, application
from tests.support.waiting import eventually

HEAD = 'url = "opc.tcp://127.0.0.1:4840/a"\nsecurity = "None"\nmachine = "P-101"\npoint = "1"\n'
ROW = '[[value]]\nchannel = "n"\nunit = "r/min"\nnode_id = "ns=2;s=A.B"\n'
NOW = dt.datetime.now(dt.UTC)
SECURE = HEAD.replace('"None"', '"Basic256Sha256"')


def opened(text: str) -> OpcUaSource:
    return open_source(parse_toml(text, Path("agent.toml")).root().data, PlantClock())


@pytest.mark.parametrize(
    "node",
    [
        "ns=2;s=A.B",
        "i=2258",
        "ns=3;i=7",
        "nsu=http://a.b/c;s=x;y",
        "ns=1;b=AQID",
        f"g={'0' * 8}-0000-0000-0000-{'0' * 12}",
    ],
)
def test_a_node_is_named_as_the_server_names_it(node: str) -> None:
    assert opened(HEAD + ROW.replace("ns=2;s=A.B", node)).devices()[0].channels[0].name == "1/n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROW, "machine is missing"),
        (HEAD.replace("opc.tcp", "http") + ROW, "url must be like"),
        (HEAD.replace("127.0.0.1", "moi:secret@127.0.0.1") + ROW, "must not hold an account"),
        (HEAD.replace('security = "None"\n', "") + ROW, "security must be"),
        (HEAD.replace('"None"', '"Basic128Rsa15"') + ROW, "security must be"),
        (HEAD, "at least one [[source.value]]"),
        (HEAD + ROW.replace('unit = "r/min"\n', ""), "unit is missing"),
        (HEAD + ROW.replace("ns=2;s=A.B", "A.B"), "node_id must be as the server names it"),
        (HEAD + ROW.replace("ns=2;s=A.B", "ns=2;i=abc"), "node_id must be as the server names it"),
        (HEAD + ROW + ROW.replace('"n"', '"m"'), "is read from ns=2;s=A.B"),
        (HEAD + ROW + ROW.replace("A.B", "A.C"), "channel"),
        (HEAD + "cle = 1\n" + ROW, "unknown key 'cle'"),
        (HEAD + "every_s = 0\n" + ROW, "every_s must be"),
        (HEAD + "queue = 0\n" + ROW, "queue must be"),
        (HEAD + 'username = "moi"\n' + ROW, "must be given together"),
        (HEAD + 'key_file = "nulle/part"\n' + ROW, "there is none at"),
        (SECURE + ROW, "needs certificate_file and key_file"),
    ],
)
def test_a_mistake_in_the_table_is_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        opened(text)
    assert words in str(caught.value)


def test_a_password_in_clear_and_a_server_that_anybody_may_be_are_refused(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("c", "k", "p")}
    for file in files.values():
        file.write_text("x")
    clear = HEAD.replace("127.0.0.1", "10.0.0.5") + f'username = "moi"\npassword_file = "{files["p"]}"\n'
    with pytest.raises(ValueError, match="may go in clear"):
        opened(clear + ROW)
    assert opened(clear + "insecure = true\n" + ROW)
    with pytest.raises(ValueError, match="anybody may pretend"):
        opened(SECURE + f'certificate_file = "{files["c"]}"\nkey_file = "{files["k"]}"\n' + ROW)


def test_the_port_of_opc_ua_is_taken_where_none_is_given() -> None:
    table = parse_toml(HEAD.replace(":4840", "") + ROW, Path("agent.toml")).root().data
    assert read_table(table)[0].url == "opc.tcp://127.0.0.1:4840/a"


def value(raw: Any, kind: ua.VariantType | None = None, status: int = 0) -> ua.DataValue:
    return ua.DataValue(ua.Variant(raw, kind), ua.StatusCode(status))


@pytest.mark.parametrize(
    ("told", "number", "quality"),
    [
        (value(12.5), 12.5, QUALITY_GOOD),
        (value(-3, ua.VariantType.Int16), -3.0, QUALITY_GOOD),
        (value(True), 1.0, QUALITY_GOOD),
        (value(7.0, status=ua.StatusCodes.UncertainLastUsableValue), 7.0, QUALITY_STALE),
        (value(7.0, status=ua.StatusCodes.BadSensorFailure), None, QUALITY_BAD),
        (value("7.0"), None, QUALITY_BAD),
        (value([1.0, 2.0]), None, QUALITY_BAD),
        (value(float("nan")), None, QUALITY_BAD),
        (value(None), None, QUALITY_BAD),
        (ua.DataValue(), None, QUALITY_BAD),
    ],
)
def test_a_value_is_a_number_of_a_quality(told: ua.DataValue, number: float | None, quality: int) -> None:
    reading = reading_of(told)
    assert (reading.value, reading.quality) == (number, quality)
    assert bool(reading.said) == (quality != QUALITY_GOOD)


def test_a_source_timestamp_counts_where_it_can_be() -> None:
    now_ns = time.time_ns()
    stamped = ua.DataValue(ua.Variant(1.0), SourceTimestamp=dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC))
    stamp_ns = source_ns(stamped)
    assert stamp_ns is not None
    assert abs(stamp_ns - now_ns) < 2_000
    assert source_ns(ua.DataValue(ua.Variant(1.0))) is None
    for ahead_s, believed in ((0.5, True), (2.0, False), (-50.0, True), (-70.0, False), (3_600.0, False)):
        assert plausible(now_ns + int(ahead_s * 1e9), now_ns) is believed


def test_a_silence_longer_than_two_keep_alives_is_one() -> None:
    watch = Watch(began_s=100.0, keep_alive_s=3.0)
    assert watch.silence(100.0 + 6.0 + SLACK_S, None) is None
    assert watch.silence(100.1 + 6.0 + SLACK_S, None) is not None
    assert watch.silence(130.0, 125.0) is None
    assert watch.silence(140.0, 125.0) == 15.0


def test_a_value_that_is_read_and_never_told_gives_its_item_away() -> None:
    watch = Watch(began_s=0.0, patience_s=10.0)
    assert watch.read(0, 1.0, 5.0)
    watch.told(0, 2.0, 5.0)
    assert all(watch.read(0, t, 5.0) for t in (30.0, 60.0))
    assert watch.read(0, 90.0, 6.0)  # it may be on its way
    watch.told(0, 90.5, 6.0)
    assert watch.read(0, 120.0, 7.0)
    assert watch.read(0, 125.0, 8.0)
    assert watch.read(0, 128.0, 6.0)  # by chance as it was told last
    assert not watch.read(0, 131.0, 9.0)


def test_a_value_that_is_not_a_number_is_the_same_one_when_it_is_read_again() -> None:
    watch, nan = Watch(began_s=0.0, patience_s=10.0), float("nan")
    watch.told(0, 1.0, _raw(value(nan)))
    assert all(watch.read(0, t, _raw(value(float("nan")))) for t in (30.0, 60.0, 90.0))
    assert watch.read(0, 120.0, _raw(value(1.0)))
    assert not watch.read(0, 150.0, _raw(value(1.0)))


def test_what_a_slow_clock_says_of_a_change_never_stands_before_what_was_read() -> None:
    """Else the value of half a minute ago would be the newest, and the speed of a block."""
    one = opened(HEAD + ROW)
    (read,) = one._taken([(0, value(1480.0), False)])
    slow = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=50)
    (changed,) = one._taken([(0, replace(value(990.0), SourceTimestamp=slow), True)])
    assert changed.time_ns > read.time_ns
    right = dt.datetime.now(dt.UTC)
    (right_one,) = one._taken([(0, replace(value(991.0), SourceTimestamp=right), True)])
    assert right_one.time_ns == source_ns(replace(value(0.0), SourceTimestamp=right))


def test_while_a_server_is_away_its_values_are_bad_at_once_and_each_minute() -> None:
    one = opened(HEAD + ROW)
    absent = Absent(one._rows)
    assert [told.quality for told in absent.told(100.0, 1)] == [QUALITY_BAD]
    assert absent.told(100.0 + BAD_EVERY_S - 1, 2) == []
    assert len(absent.told(100.0 + BAD_EVERY_S, 3)) == 1
    absent.over()
    assert len(absent.told(101.0 + BAD_EVERY_S, 4)) == 1


# Certificates -------------------------------------------------------------------------------------------


def settings(folder: Path, **more: Any) -> OpcUaSettings:
    files = {"certificate_file": folder / "me.pem", "key_file": folder / "me.key"}
    return OpcUaSettings("opc.tcp://10.0.0.5:4840", "Basic256Sha256", **{**files, **more})


def mine(folder: Path, **more: Any) -> OpcUaSettings:
    application("moi", which=1, **more).write(folder, "me")
    return settings(folder)


def der(one: Application) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return one.certificate.public_bytes(Encoding.DER)


def test_our_certificate_names_us_and_is_told_of_a_month_before_its_end(tmp_path: Path) -> None:
    me = own_identity(mine(tmp_path), NOW)
    assert (me.uri, me.note, len(me.thumbprint)) == ("urn:essai:moi", "", 40)
    soon = own_identity(mine(tmp_path, days=29), NOW)
    assert soon.note.startswith("this gateway's certificate me.pem expires on ")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"days": -0.5}, "expired on"),
        ({"since_days": -1}, "is this gateway's clock right"),
        ({"uri": ""}, "must hold an application URI"),
        ({"bits": 1024}, "must have 2048 bits"),
    ],
)
def test_a_certificate_that_no_server_can_take_is_refused_here(tmp_path: Path, more: Any, words: str) -> None:
    with pytest.raises(CertificateError) as caught:
        own_identity(mine(tmp_path, **more), NOW)
    assert words in str(caught.value)


def test_an_expired_certificate_ends_no_agent_and_is_said_while_values_are_bad(tmp_path: Path) -> None:
    application("moi", which=1, days=-0.5).write(tmp_path, "me")
    application("srv", which=0).write(tmp_path, "server")
    files = {"certificate_file": "me.pem", "key_file": "me.key", "server_certificate_file": "server.pem"}
    lines = "".join(f'{key} = "{tmp_path / name}"\n' for key, name in files.items())
    one = opened(SECURE + lines + ROW)
    with listened(one) as told:
        eventually(lambda: one.problem, 30, "the reason")
        eventually(lambda: told.qualities("1/n") == [QUALITY_BAD], 30, "a bad value")
    assert one.problem.startswith("this gateway's certificate me.pem expired on ")


def test_files_that_do_not_belong_together_or_hold_nothing_are_told(tmp_path: Path) -> None:
    told = mine(tmp_path)
    application("autre", which=2).write(tmp_path, "other")
    with pytest.raises(CertificateError, match="is not the key of"):
        own_identity(settings(tmp_path, key_file=tmp_path / "other.key"), NOW)
    with pytest.raises(CertificateError, match="must be an RSA key"):
        own_identity(settings(tmp_path, key_file=tmp_path / "me.pem"), NOW)
    with pytest.raises(CertificateError, match="must be a certificate"):
        own_identity(settings(tmp_path, certificate_file=tmp_path / "me.key"), NOW)
    (tmp_path / "me.key").unlink()
    with pytest.raises(CertificateError, match="can't be read"):
        own_identity(told, NOW)


def test_the_server_is_the_pinned_one_or_of_the_authority_and_in_date(tmp_path: Path) -> None:
    server, other = application("srv", which=0), application("autre", which=2)
    pinned = settings(tmp_path, server_certificate_file=server.write(tmp_path, "server"))
    assert check_server(der(server), pinned, NOW) == ""
    assert "expires on" in check_server(der(server), pinned, NOW + dt.timedelta(days=340))
    with pytest.raises(CertificateError, match="expired on"):
        check_server(der(server), pinned, NOW + dt.timedelta(days=366))
    with pytest.raises(CertificateError, match="another certificate"):
        check_server(der(other), pinned, NOW)
    with pytest.raises(CertificateError, match="can't be read"):
        check_server(b"\x30\x03abc", pinned, NOW)
    authority = application("ca", which=2, authority=True)
    trusted = replace(
        settings(tmp_path, server_ca_file=authority.write(tmp_path, "ca")), url="opc.tcp://LocalHost:4840"
    )
    assert check_server(der(application("srv", issuer=authority)), trusted, NOW) == ""
    with pytest.raises(CertificateError, match="was not issued by"):
        check_server(der(server), trusted, NOW)
    elsewhere = replace(trusted, url="opc.tcp://10.0.0.5:4840")
    with pytest.raises(CertificateError, match=r"is for localhost, 127\.0\.0\.1, the url says 10\.0\.0\.5"):
        check_server(der(application("srv", issuer=authority)), elsewhere, NOW)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        (TimeoutError(), "does not answer"),
        (ConnectionResetError("reset"), "may not trust this gateway's certificate"),
        (OSError("no route to host"), "can't be reached: no route to host"),
        (ua.UaStatusCodeError(ua.StatusCodes.BadUserAccessDenied), "look at username and password_file"),
        (ua.UaStatusCodeError(ua.StatusCodes.BadCertificateUntrusted), "have it trusted there"),
        (ua.UaStatusCodeError(ua.StatusCodes.BadTooManySessions), "no room for one more session"),
        (ua.UaStatusCodeError(ua.StatusCodes.BadSessionIdInvalid), "forgotten the session"),
        (ua.UaStatusCodeError(ua.StatusCodes.BadNoSubscription), "forgotten the subscription"),
        (ua.UaStatusCodeError(ua.StatusCodes.BadOutOfMemory), "answers BadOutOfMemory"),
        (ValueError("odd"), "can't be used: odd"),
    ],
)
def test_every_failure_is_a_sentence(error: Exception, words: str, tmp_path: Path) -> None:
    said = sentence(error, settings(tmp_path, username="moi"))
    assert isinstance(said, OSError)
    assert words in str(said)
    again = LostError("said")
    assert sentence(again, settings(tmp_path)) is again
