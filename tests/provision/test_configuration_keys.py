"""The key that signs gateways' configurations: made once, its public half at every gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from palier.configuration_keys import SigningError, sign, why_not_signed
from palier.provision.checking import Verdict, check
from palier.provision.making import Wanted, provision
from tests.support.configuring import write_keys

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY, PUBLIC = "authority/configuration.key", "configuration.pub"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "access"
    outcome = provision(folder, Wanted("usine", gateways=("gw-1", "gw-2")), NOW)
    assert any("signs what gateways sample from" in one for one in outcome.advice)
    return folder


def verdicts(folder: Path) -> dict[str, Verdict]:
    return {one.file: one.verdict for one in check(folder, NOW) if not one.fine}


def test_what_the_engineer_signs_each_gateway_believes(made: Path) -> None:
    signature = sign(made / KEY, b"text")
    for node in ("gw-1", "gw-2"):
        public = made / "gateways" / node / PUBLIC
        assert why_not_signed(public, b"text", signature) == ""
        assert why_not_signed(public, b"texT", signature).startswith("the signature is not that")
    snippet = (made / "gateways/gw-1/broker.toml").read_text()
    assert '[configuration]\nkey_file = "configuration.pub"' in snippet


def test_a_key_that_was_moved_away_is_not_made_again(made: Path) -> None:
    before = (made / PUBLIC).read_bytes()
    (made / KEY).unlink()
    assert verdicts(made) == {}
    assert provision(made, Wanted(gateways=("gw-3",)), NOW).gateways == ("gw-1", "gw-2", "gw-3")
    assert not (made / KEY).exists()
    assert (made / "gateways/gw-3" / PUBLIC).read_bytes() == before
    (made / PUBLIC).unlink()  # and what gateways believe stays, too
    provision(made, Wanted(), NOW)
    assert (made / PUBLIC).read_bytes() == before


def test_a_stolen_key_is_replaced_at_every_gateway(made: Path) -> None:
    before = (made / PUBLIC).read_bytes()
    for file in (KEY, PUBLIC, f"gateways/gw-1/{PUBLIC}", f"gateways/gw-2/{PUBLIC}"):
        (made / file).unlink()
    provision(made, Wanted(), NOW)
    after = (made / PUBLIC).read_bytes()
    assert after != before
    assert all((made / "gateways" / node / PUBLIC).read_bytes() == after for node in ("gw-1", "gw-2"))


def test_a_key_that_does_not_fit_is_told(made: Path, tmp_path: Path) -> None:
    (made / KEY).write_bytes(write_keys(tmp_path).read_bytes())
    assert verdicts(made) == {KEY: Verdict.WRONG}
    (made / KEY).write_text("no key")
    assert verdicts(made) == {KEY: Verdict.WRONG}
    (made / PUBLIC).write_text("no key")
    assert verdicts(made)[PUBLIC] is Verdict.WRONG


def test_a_key_that_others_may_read_signs_nothing(made: Path) -> None:
    (made / KEY).chmod(0o644)
    with pytest.raises(SigningError, match="may be read by others, who could then sign: chmod 600"):
        sign(made / KEY, b"text")
    with pytest.raises(SigningError, match="can't be read"):
        sign(made / "nowhere.key", b"text")
    (made / KEY).chmod(0o600)
    (made / KEY).write_bytes((made / PUBLIC).read_bytes())
    with pytest.raises(SigningError, match="not an ed25519 private key"):
        sign(made / KEY, b"text")
