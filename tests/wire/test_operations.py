"""People's commands on the wire: what was written is read, and whatever else comes is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnosis.types import Fault
from palier.operations import (
    LONGEST_SHELF_S,
    SHORTEST_SHELF_S,
    Acknowledge,
    Ask,
    CauseCode,
    Command,
    Configure,
    ConfirmBaseline,
    Found,
    GiveVerdict,
    Intervene,
    InterventionKind,
    Outcome,
    PutBack,
    RelearnBaseline,
    Reply,
    SendAgain,
    Shelve,
    TakeOut,
    TellGateway,
    Unshelve,
)
from palier.provision import access
from palier.wire.operations import (
    ASKS,
    MAX_COMMAND_BYTES,
    MAX_TEXT,
    command_topic,
    decode_command,
    decode_reply,
    digest,
    encode_command,
    encode_reply,
    readable_id,
    reply_filter,
    reply_topic,
    site_of,
)
from palier.wire.payload import DecodeError
from palier.wire.topics import TopicError

ALARM = "P-101/2/vibration"
ID = "0123456789abcdef"

EXAMPLES: tuple[Ask, ...] = (
    Acknowledge(ALARM, "vu, ronde de 14 h"),
    Shelve(ALARM, "essai de charge", 4 * 3600),
    Shelve(ALARM, "jusqu'à la relève"),
    Unshelve(ALARM),
    TakeOut("gw-1/gateway", "travaux"),
    PutBack(ALARM, "fini"),
    Intervene(
        "P-101", InterventionKind.BEARING_CHANGED, 10**18, "2", "22220 E\ngraissé", CauseCode.ABRASIVE_WEAR
    ),
    Intervene("P-101", InterventionKind.OTHER),
    ConfirmBaseline("P-101"),
    RelearnBaseline("P-101", "roulement neuf"),
    GiveVerdict(ALARM, Found.OTHER_CAUSE, Fault.UNBALANCE, CauseCode.OVERLOAD, "dépôt"),
    GiveVerdict(ALARM, Found.CONFIRMED),
    SendAgain("usine/gw-1", 10**18, 10**18 + 3600 * 10**9, "historian restored"),
    SendAgain("usine/gw-1", 10**18, 10**18, "series lost", again=True),
    SendAgain("usine/gw-1", 10**18, 10**18, "waveforms wanted", waveforms_of="P-101"),
    Configure("usine/gw-1", 7, '[[source]]\ntype = "replay"\n', "0f" * 64, "second pump"),
    TellGateway("usine/gw-1"),
)


def written(**others: Any) -> bytes:
    told = {"id": ID, "user": "h.alami", "do": "acknowledge", "alarm": ALARM}
    return json.dumps({key: value for key, value in (told | others).items() if value != "gone"}).encode()


@pytest.mark.parametrize("ask", EXAMPLES, ids=lambda ask: type(ask).__name__)
@pytest.mark.parametrize("version", [None, 0, 7])
def test_a_command_is_read_as_it_was_written(ask: Ask, version: int | None) -> None:
    command = Command(ID, "h.alami", ask, version)
    assert decode_command(encode_command(command)) == command


def test_every_command_has_an_example() -> None:
    assert {type(ask) for ask in EXAMPLES} == set(ASKS.values())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[1]", "must be a JSON object"),
        (b'{"id": NaN}', "NaN is no JSON"),
        (b'{"id": "a", "id": "b"}', "a key stands twice"),
        (b"[" * 100_000, "at most"),
        (b"[" * 10_000, "must be JSON"),
        (b" " * (MAX_COMMAND_BYTES + 1), "at most"),
        (written(do="format_disk"), "do must be one of"),
        (written(do=None), "do must be one of"),
        (written(do=["acknowledge"]), "do must be one of"),
        (written(id="gone"), "id must match"),
        (written(id="short"), "id must match"),
        (written(id="with/a/slash"), "id must match"),
        (written(id="with+wild#card"), "id must match"),
        (written(user=""), "user must not be empty"),
        (written(user="x" * 65), "at most 64 letters"),
        (written(user="a\nb"), "control characters, got U\\+000A"),
        (written(user=7), "user must be a text"),
        (written(expected_version="3"), "expected_version must be an integer"),
        (written(expected_version=True), "expected_version must be an integer"),
        (written(expected_version=-1), "expected_version must be an integer"),
        (written(alarm="gone"), "alarm must be a text"),
        (written(alarm="P-101"), "an alarm must be"),
        (written(alarm="P-101/2/humidity"), "an alarm must be"),
        (written(alarm="../2/vibration"), "an alarm must be"),
        (written(alarm="a/b/c/vibration"), "an alarm must be"),
        (written(force=True), "unknown key 'force': it takes alarm, comment"),
        (written(comment="x" * (MAX_TEXT + 1)), "at most 2000 letters"),
        (written(comment="a\x00b"), "U\\+0000"),
        (written(comment="a\x1b[2Jb"), "U\\+001B"),
        (written(comment="a\u202eb"), "U\\+202E"),
        (written(comment="\ud800"), "U\\+D800"),
        (written(do="shelve", why="x", for_s=SHORTEST_SHELF_S - 1), "for_s must be an integer from 60"),
        (written(do="shelve", why="x", for_s=LONGEST_SHELF_S + 1), "for_s must be an integer from 60"),
        (written(do="shelve", why="x", for_s=3600.5), "for_s must be an integer"),
        (written(do="shelve"), "why must be there"),
        (written(do="take_out", why="  "), "why must be there"),
        (written(do="relearn_baseline", alarm="gone", machine="P-101"), "why must be there"),
        (written(do="intervention", alarm="gone", kind="greasing"), "machine must be a text"),
        (written(do="intervention", alarm="gone", machine="P-101", kind="prayer"), "kind must be one of"),
        (written(do="intervention", alarm="gone", machine="a/b", kind="other"), "machine must match"),
        (written(do="intervention", alarm="gone", machine="P", kind="other", at_ms=10**30), "at_ms must be"),
        (written(do="intervention", alarm="gone", machine="P", kind="other", at_ms=1e12), "at_ms must be"),
        (
            written(do="intervention", alarm="gone", machine="P", kind="other", cause="9.9"),
            "cause must be one of",
        ),
        (written(do="verdict", verdict="maybe"), "verdict must be one of"),
        (written(do="verdict", verdict="confirmed", found="gremlins"), "found must be one of"),
    ],
)
def test_what_is_no_command_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(DecodeError, match=sentence):
        decode_command(data)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
def test_no_bytes_do_anything_but_be_refused(data: bytes) -> None:
    for read in (decode_command, decode_reply):
        with pytest.raises(DecodeError):
            read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    sorted({f.name for kind in ASKS.values() for f in fields(kind)} | {"at_ms", "do", "id"})
)


@given(st.sampled_from(EXAMPLES), KEYS, JSON)
def test_one_field_changed_is_read_or_refused(ask: Ask, key: str, value: object) -> None:
    told = json.loads(encode_command(Command(ID, "h.alami", ask)))
    with suppress(DecodeError):  # and nothing else
        assert decode_command(json.dumps(told | {key: value}).encode()).user == "h.alami"


def test_a_command_that_no_host_would_take_is_told_before_it_is_sent() -> None:
    with pytest.raises(DecodeError, match="why must be there"):
        encode_command(Command(ID, "h.alami", Shelve(ALARM, "")))


def test_the_id_of_what_can_not_be_read_otherwise() -> None:
    assert readable_id(written(do="format_disk")) == ID
    assert readable_id(b"{}") is None
    assert readable_id(b"\x00") is None


def test_a_digest_tells_another_command_under_the_same_id() -> None:
    one, same, other = (Command(ID, "h.alami", Acknowledge(ALARM, text)) for text in ("vu", "vu", "pas vu"))
    assert digest(one) == digest(same) != digest(other)


def test_a_reply_is_read_as_it_was_written() -> None:
    replies = (
        Reply(ID, Outcome.DONE, "acknowledged", {}, 4, {"alarm": ALARM, "causes": [{"value": None}]}),
        Reply(ID, Outcome.CONFLICT, "changed", {"expected": 1, "version": 2}, 2),
        Reply(ID, Outcome.REFUSED, "malformed", {"sentence": "« … »"}),
    )
    assert [decode_reply(encode_reply(reply)) for reply in replies] == list(replies)


@pytest.mark.parametrize("change", [{"outcome": "maybe"}, {"params": {"a": []}}, {"present": 3}, {"id": 1}])
def test_what_is_no_reply_is_refused(change: dict[str, object]) -> None:
    told = json.loads(encode_reply(Reply(ID, Outcome.DONE, "acknowledged")))
    with pytest.raises(DecodeError):
        decode_reply(json.dumps(told | change).encode())


def test_topics_are_those_that_accounts_may_use() -> None:
    assert command_topic("khouribga") == access.command_topic("khouribga")
    assert reply_filter("khouribga") == access.reply_filter("khouribga")
    assert reply_topic("khouribga", ID) == f"palier/v1/khouribga/reply/{ID}"
    assert site_of("palier/v1/khouribga/command") == "khouribga"


@pytest.mark.parametrize(
    "topic", ["palier/v1/a/reply/x", "palier/v2/a/command", "palier/v1/+/command", "spBv1.0/STATE/palier", ""]
)
def test_other_topics_are_no_command(topic: str) -> None:
    assert site_of(topic) is None


def test_no_name_breaks_out_of_its_topic() -> None:
    with pytest.raises(TopicError):
        reply_topic("khouribga", "../#")
    with pytest.raises(TopicError):
        command_topic("a/b")
