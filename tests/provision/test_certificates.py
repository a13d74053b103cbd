"""The certificates themselves, read back by the library and judged by OpenSSL's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.provision.certificates import (
    AUTHORITY_DAYS,
    CertificateError,
    belongs,
    facts,
    host_name,
    issue_authority,
    issue_server,
    issued_by,
    new_key,
)

LABELS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
E = TypeVar("E", bound=x509.ExtensionType)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUTHORITY_KEY = new_key()
AUTHORITY = issue_authority(AUTHORITY_KEY, "usine", NOW)
KEY = new_key()


def server(names: tuple[str, ...] = ("localhost",), now: datetime = NOW, days: int = 825) -> bytes:
    return issue_server(
        KEY,
        names,
        site="usine",
        authority_pem=AUTHORITY,
        authority_key_pem=AUTHORITY_KEY,
        now=now,
        days=days,
    )


def extension(pem: bytes, kind: type[E]) -> x509.Extension[E]:
    return x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(kind)


def test_the_authority_may_sign_servers_and_nothing_else() -> None:
    basic = extension(AUTHORITY, x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    usage = extension(AUTHORITY, x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature


def test_the_server_s_certificate_is_one_for_servers_alone() -> None:
    pem = server()
    basic, usage = extension(pem, x509.BasicConstraints), extension(pem, x509.KeyUsage)
    assert basic.critical
    assert not basic.value.ca
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.key_cert_sign) == (True, False)
    assert list(extension(pem, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_key_identifiers_lead_from_the_server_to_the_authority() -> None:
    pem = server()
    authority = extension(AUTHORITY, x509.SubjectKeyIdentifier).value.digest
    assert extension(pem, x509.AuthorityKeyIdentifier).value.key_identifier == authority
    assert extension(pem, x509.SubjectKeyIdentifier).value.digest != authority
    assert issued_by(pem, AUTHORITY)
    assert not issued_by(pem, issue_authority(new_key(), "usine", NOW))


def test_serials_are_random_and_positive() -> None:
    serials = {x509.load_pem_x509_certificate(server()).serial_number for _ in range(20)}
    assert len(serials) == 20
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serials) > 2**120


def test_a_renewed_authority_still_vouches_for_what_it_issued() -> None:
    assert issued_by(server(), issue_authority(AUTHORITY_KEY, "usine", NOW + timedelta(days=100)))


def test_validity_begins_a_day_ago_and_lasts_as_asked() -> None:
    told = facts(server(days=10))
    assert told.not_before == NOW - timedelta(days=1)
    assert told.not_after == NOW + timedelta(days=10)


def test_a_server_s_certificate_never_outlives_the_authority() -> None:
    late = NOW + timedelta(days=AUTHORITY_DAYS - 5)
    assert facts(server(now=late)).not_after == facts(AUTHORITY).not_after
    with pytest.raises(CertificateError, match="the authority has expired"):
        server(now=late + timedelta(days=5))


def test_names_and_addresses_keep_their_order_and_kind() -> None:
    names = ("broker.example.org", "10.0.0.5", "fd00::5", "under_score")
    pem = server(names)
    assert facts(pem).names == names
    san = extension(pem, x509.SubjectAlternativeName).value
    assert len(san.get_values_for_type(x509.IPAddress)) == 2


def test_the_longest_site_fits() -> None:
    assert facts(issue_authority(new_key(), "x" * 64, NOW)).names == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a b", "a:8883", "*.example.org", "é.example.org", "a..b", ".a", "a.", "-a", "a/b", "a\n"),
        *("10.0.0.300", "1.2.3", "x" * 64, ".".join(["x" * 60] * 5), "a\x00b", "fd00::5%eth0"),
    ],
)
def test_what_is_no_host_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(CertificateError, match="a host must be a name like"):
        host_name(text)


@settings(max_examples=30)  # each signs
@given(NAMES)
def test_every_name_that_is_taken_makes_a_certificate(name: str) -> None:
    try:
        taken = host_name(name)
    except CertificateError:
        return  # ends like an address
    assert facts(server((taken,))).names == (taken,)


def test_names_are_told_in_one_spelling() -> None:
    assert host_name("Broker.Example.ORG") == "broker.example.org"
    assert host_name("FD00:0::5") == "fd00::5"


@pytest.mark.parametrize(
    "content", [b"", b"x", AUTHORITY_KEY, AUTHORITY[:200]], ids=["nothing", "a letter", "a key", "a part"]
)
def test_what_is_no_certificate_is_told_so_without_its_content(content: bytes) -> None:
    with pytest.raises(CertificateError, match=r"^is not a certificate in PEM$"):
        facts(content)


def test_what_is_no_key_is_told_so_without_its_content() -> None:
    for content in (b"", AUTHORITY, AUTHORITY_KEY[:100]):
        with pytest.raises(CertificateError, match=r"^is not a private key in PEM without a pass phrase$"):
            belongs(AUTHORITY, content)


def test_whose_key_a_certificate_has() -> None:
    assert belongs(AUTHORITY, AUTHORITY_KEY)
    assert not belongs(AUTHORITY, KEY)
