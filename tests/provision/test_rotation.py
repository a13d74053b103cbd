"""New passwords and withdrawn gateways, as files and at a real broker that goes on meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from palier.provision.accounts import accounts_of, opens
from palier.provision.changes import Did
from palier.provision.files import ProvisionError
from palier.provision.layout import PASSWORDS, SERVICE_ACCOUNTS, accounts
from palier.provision.making import Wanted, provision
from tests.support.provision_folder import NOW, amiss, content
from tests.support.provisioned import connected, provisioned_broker
from tests.support.waiting import eventually

GATEWAYS = ("gw-1", "gw-2")


def secret(folder: Path, account: str) -> str:
    return (folder / accounts(GATEWAYS)[account]).read_text()


@pytest.mark.parametrize("account", [*GATEWAYS, *SERVICE_ACCOUNTS])
def test_an_account_gets_another_password_and_the_others_keep_theirs(made: Path, account: str) -> None:
    before, old = content(made), secret(made, account)
    outcome = provision(made, Wanted(rotate=(account,)), NOW)
    lines = accounts_of((made / PASSWORDS).read_text())
    assert opens(lines[account], secret(made, account))
    assert not opens(lines[account], old)
    touched = {name for name, text in content(made).items() if before[name] != text}
    follows = {PASSWORDS} | ({"broker/mosquitto_sub"} if account == "health" else set())
    assert touched == follows | {accounts(GATEWAYS)[account]}
    assert [change.did for change in outcome.changes if change.file not in follows] == [Did.ROTATED]
    assert amiss(made) == {}


def test_what_has_to_follow_is_told_in_its_order(made: Path) -> None:
    outcome = provision(made, Wanted(rotate=("gw-1", "ingest", "health")), NOW)
    assert [advice.partition(":")[0] for advice in outcome.advice] == [
        "copy gateways/gw-1/password beside agent.toml of gw-1",
        "put secrets/mqtt_ingest_password where password_file of ingest is",
        "then broker/ has changed",
    ]
    told = repr(outcome)
    assert not [name for name in accounts(GATEWAYS) if secret(made, name) in told]


def test_a_withdrawn_gateway_leaves_nothing(made: Path) -> None:
    outcome = provision(made, Wanted(withdraw=("gw-1",)), NOW)
    assert outcome.gateways == ("gw-2",)
    assert not (made / "gateways/gw-1").exists()
    assert "gw-1" not in (made / "broker/acl").read_text() + (made / PASSWORDS).read_text()
    assert "SIGHUP" in outcome.advice[-1]
    assert amiss(made) == {}


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Wanted(rotate=("gw-9",)), "no account 'gw-9': console, gw-1"),
        (Wanted(rotate=("influx_writer",)), "no account"),
        (Wanted(withdraw=("gw-9",)), "no gateway 'gw-9': gw-1, gw-2"),
        (Wanted(withdraw=("../secrets",)), "no gateway"),
        (Wanted(withdraw=("ingest",)), "is a service, not a gateway"),
        (Wanted(withdraw=("gw-1",), rotate=("gw-1",)), "can't be withdrawn and go on at once"),
        (Wanted(withdraw=("gw-3",), gateways=("gw-3",)), "say which"),
    ],
)
def test_what_can_not_be_meant_is_refused_and_nothing_changes(
    made: Path, wanted: Wanted, sentence: str
) -> None:
    before = content(made)
    with pytest.raises(ProvisionError, match=sentence) as refused:
        provision(made, wanted, NOW)
    assert refused.value.usage
    assert content(made) == before


def test_a_new_authority_is_carried_to_every_gateway(made: Path) -> None:
    """What shuts out a key of the broker, or of the authority, that got out."""
    for name in ("ca.crt", "broker/ca.crt", "authority/ca.key", "broker/server.key", "broker/server.crt"):
        (made / name).unlink()
    outcome = provision(made, Wanted(), NOW)
    assert ["SIGHUP" in advice or "every gateway" in advice for advice in outcome.advice] == [True, True]
    assert amiss(made) == {}
    assert provision(made, Wanted(), NOW).advice == ()


def test_a_folder_with_something_else_in_it_is_not_removed(made: Path) -> None:
    (made / "gateways/gw-1/agent.toml").write_text("mine")
    before = content(made)
    with pytest.raises(ProvisionError, match=r"gw-1 holds other things too \(agent.toml\)"):
        provision(made, Wanted(withdraw=("gw-1",)), NOW)
    assert content(made) == before


def test_the_running_broker_shuts_old_passwords_and_withdrawn_gateways_out_at_once(tmp_path: Path) -> None:
    made = tmp_path / "made"
    provision(made, Wanted(site="usine", gateways=(*GATEWAYS, "gw-3")), datetime.now(UTC))
    old = {name: (made / f"gateways/{name}/password").read_text() for name in (*GATEWAYS, "gw-3")}
    with (
        provisioned_broker(made, tmp_path) as broker,
        connected(broker, "gw-1", old["gw-1"]) as rotated,
        connected(broker, "gw-2", old["gw-2"]) as untouched,
        connected(broker, "gw-3", old["gw-3"]) as withdrawn,
    ):
        provision(made, Wanted(rotate=("gw-1",), withdraw=("gw-3",)), datetime.now(UTC))
        assert rotated.may_publish(["spBv1.0/usine/NDATA/gw-1"])  # the broker has not read it yet
        broker.reload()
        for gone in (rotated, withdrawn):
            eventually(lambda gone=gone: not gone.client.is_connected(), 60, "the end of the connection")
        assert untouched.client.is_connected()
        for name in ("gw-1", "gw-3"):
            with connected(broker, name, old[name]) as again:
                assert "Not authorized" in str(again.refusal)
        with connected(broker, "gw-1", secret(made, "gw-1")) as again:
            assert again.may_publish(["spBv1.0/usine/NDATA/gw-1"])
