"""Secrets, the password file and the access list, as texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.frames import NAME_PATTERN
from palier.provision.access import Grant, acl_text, grants
from palier.provision.accounts import (
    SecretError,
    accounts_of,
    new_secret,
    opens,
    password_file,
    password_line,
    read_secret,
)
from palier.provision.layout import SERVICE_ACCOUNTS
from palier.wire.topics import TopicError

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)

# Written by mosquitto_passwd 2.0.11 for the password "correct horse".
BY_MOSQUITTO = (
    "gw-1:$7$101$ayM0Zne8Y8sFl3iY$"
    "KTTmSchpVlWv/uN7apWvxc5Rqx6esqQKZ8avxNLVzKO56hdvpOcVJcU6p+6Sl0bc3k4qYmb1bVHYV0ukB55aWA=="
)


def test_a_secret_is_32_random_bytes_that_need_no_quoting() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"[0-9a-f]{64}", secret) for secret in secrets)


@pytest.mark.parametrize("content", [b"abc", b"abc\n", b"abc\r\n"])
def test_a_newline_is_no_part_of_a_secret(content: bytes) -> None:
    assert read_secret(content) == "abc"


@pytest.mark.parametrize("content", [b"", b"\n", b"hush\xff", b" hush", b"hush ", b"hu\nsh", b"hu\x00sh"])
def test_what_programs_would_read_differently_is_refused_without_being_told(content: bytes) -> None:
    with pytest.raises(SecretError) as caught:
        read_secret(content)
    assert "hu" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_line_of_mosquitto_s_own_opens() -> None:
    assert opens(BY_MOSQUITTO, "correct horse")
    assert not opens(BY_MOSQUITTO, "correct horse ")


@given(NAMES, st.text(min_size=1), st.text())
def test_a_line_opens_with_its_password_alone(name: str, password: str, other: str) -> None:
    line = password_line(name, password)
    assert opens(line, password)
    assert opens(line, other) is (other == password)
    assert accounts_of(line) == {name: line}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a",
        "a:",
        "a:$6$x$y",
        "a:$7$101$x",
        "a:$7$x$YQ==$YQ==",
        "a:$7$101$é$YQ==",
        f"a:$7${'9' * 30}$YQ==$YQ==",
    ],
)
def test_a_damaged_line_opens_nothing(line: str) -> None:
    assert not opens(line, "x")


def test_lines_that_open_stay_and_others_are_made_or_withdrawn() -> None:
    before = password_file({"a": "1", "b": "2", "gone": "3"}, "")
    after = password_file({"a": "1", "b": "other", "new": "4"}, before)
    old, new = accounts_of(before), accounts_of(after)
    assert new["a"] == old["a"]
    assert new.keys() == {"a", "b", "new"}
    assert opens(new["b"], "other")


@given(NAMES, NAMES, st.lists(NAMES, unique=True, max_size=4))
def test_every_line_of_the_access_list_is_one_grant(site: str, host_id: str, nodes: list[str]) -> None:
    granted = grants(site, host_id, nodes)
    read: list[Grant] = []
    account = ""
    for line in acl_text(site, granted).splitlines():
        match line.split(" "):
            case ["user", name]:
                account = name
            case ["topic", "read" | "write" | "readwrite" as verb, topic]:
                read.append(Grant(account, verb, topic))
            case _:
                assert not line or line.startswith("#")
    assert sorted(read, key=repr) == sorted(granted, key=repr)


@given(NAMES, NAMES, st.lists(NAMES.filter(lambda n: n not in SERVICE_ACCOUNTS), unique=True, max_size=4))
def test_only_the_ingest_is_granted_a_wildcard_in_place_of_a_node(
    site: str, host_id: str, nodes: list[str]
) -> None:
    for grant in grants(site, host_id, nodes):
        if grant.account in nodes and not grant.topic.startswith("spBv1.0/STATE/"):
            assert grant.topic.split("/")[3] == grant.account
            assert grant.topic.split("/")[:2] == ["spBv1.0", site]


@pytest.mark.parametrize("name", ["+", "#", "a/b", "a b", "", "a\nuser root", "é"])
def test_a_name_that_would_mean_more_in_the_access_list_is_refused(name: str) -> None:
    for site, host_id, node in ((name, "palier", "gw"), ("usine", name, "gw"), ("usine", "palier", name)):
        with pytest.raises(TopicError):
            grants(site, host_id, [node])
