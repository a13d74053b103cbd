"""Sites at one broker do not meet: every account tries every topic of every site, with real clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.access_matrix import Outcome, Sites, one_broker, tried
from tests.support.figures import tell
from tests.support.provisioned import connected
from tests.support.waiting import eventually


def matrix(sites: Sites, folder: Path, door: str = "") -> Outcome:
    with one_broker(sites, folder, door) as brokers:
        outcome = tried(sites, brokers)
    tell(outcome.line(sites))
    return outcome


def test_two_sites_with_the_same_names_do_not_meet(tmp_path: Path) -> None:
    outcome = matrix(Sites(("usine", "carriere"), ("gw-1",)), tmp_path)
    assert (outcome.crossings, outcome.lacks) == ([], [])


@pytest.mark.long
def test_no_account_crosses_from_one_of_five_sites_to_another(tmp_path: Path) -> None:
    sites = Sites(("a", "a.b", "A", "a-1", "khouribga"), ("gw-1", "gw-10", "GW-1", "a"))
    outcome = matrix(sites, tmp_path)
    assert outcome.written == outcome.read == 5 * 8 * len(sites.topics())
    assert (outcome.crossings, outcome.lacks) == ([], [])


@pytest.mark.long
@pytest.mark.parametrize(
    ("verb", "found"),
    [
        (
            "write",
            {("write", "b", "gw-1", "spBv1.0/a/NDATA/gw-1"), ("write", "a", "gw-1", "spBv1.0/b/NDATA/gw-1")},
        ),
        (
            "read",
            {("read", "b", "gw-1", "spBv1.0/a/NDATA/gw-1"), ("read", "a", "gw-1", "spBv1.0/b/NDATA/gw-1")},
        ),
    ],
)
def test_a_door_that_is_left_open_is_found(
    tmp_path: Path, verb: str, found: set[tuple[str, str, str, str]]
) -> None:
    outcome = matrix(
        Sites(("a", "b"), ("gw-1",)), tmp_path, f"user gw-1\ntopic {verb} spBv1.0/+/NDATA/gw-1\n"
    )
    assert found <= set(outcome.crossings)
    assert all(topic.endswith("/NDATA/gw-1") for _, _, _, topic in outcome.crossings)


@pytest.mark.long
@pytest.mark.parametrize("apart", [False, True])
def test_a_gateway_can_not_throw_out_the_ingest_from_a_listener_of_its_own(
    tmp_path: Path, apart: bool
) -> None:
    """With `use_username_as_clientid` under its listener it is called by its account, whatever it says."""
    ingests = "palier-host-palier"
    more = "use_username_as_clientid true" if apart else ""
    with one_broker(Sites(("a", "b"), ("gw-1",)), tmp_path, more_of_first=more) as brokers:
        gateways, services = brokers["a"], brokers["b"]
        own = (services.folder / "secrets/mqtt_ingest_password").read_text()
        gateway = (gateways.folder / "gateways/gw-1/password").read_text()
        with (
            connected(services, "ingest", own, client_id=ingests) as ingest,
            connected(gateways, "gw-1", gateway, client_id=ingests) as rival,
        ):
            assert rival.may_publish(["spBv1.0/a/NDATA/gw-1"])  # it is in, and at work
            if apart:
                assert ingest.may_publish(["palier/v1/b/reply/1"])
            else:
                eventually(lambda: not ingest.client.is_connected(), 60, "the end of the ingest's connection")
