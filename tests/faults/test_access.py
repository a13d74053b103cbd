"""What happens to a plant with accounts and encryption while it runs: a new certificate, a new password."""

from __future__ import annotations

import os
import signal
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from palier.brokers import find_mosquitto
from palier.provision.accounts import password_line
from palier.provision.layout import (
    ACL,
    AUTHORITY_CERTIFICATE,
    PASSWORDS,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    accounts,
)
from palier.provision.making import Wanted, provision
from tests.support.plant_files import SITE
from tests.support.plant_of_processes import ProcessPlant
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EDGE = "gw-1"
WANTED = Wanted(site=SITE, gateways=(EDGE,))
CONF = """\
listener {port} 127.0.0.1
certfile {folder}/{certificate}
keyfile {folder}/{key}
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/{passwords}
acl_file {folder}/{acl}
set_tcp_nodelay true
max_packet_size 4259840
max_queued_messages 1000
log_dest file {log}
"""


def secure_plant(scenario: Scenario) -> tuple[ProcessPlant, Path]:
    """A plant on what `palier provision` made, and that folder."""
    made = scenario.folder / "access"
    provision(made, WANTED, datetime.now(UTC))

    def broker(port: int, folder: Path) -> Sequence[str]:
        conf = folder / "mosquitto.conf"
        text = CONF.format(
            port=port,
            folder=made,
            certificate=SERVER_CERTIFICATE,
            key=SERVER_KEY,
            passwords=PASSWORDS,
            acl=ACL,
            log=folder / "mosquitto.log",
        )
        conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""), "utf-8")
        return [str(find_mosquitto()), "-c", str(conf)]

    files = accounts((EDGE,))
    login = {
        name: {
            "username": account,
            "password_file": str(made / files[account]),
            "tls_ca": str(made / AUTHORITY_CERTIFICATE),
        }
        for name, account in ((EDGE, EDGE), ("ingest", "ingest"))
    }
    return scenario.plant(broker=broker, login=login), made


def served(plant: ProcessPlant) -> str:
    """The certificate that the broker shows to whoever comes now."""
    return ssl.get_server_certificate(("127.0.0.1", plant.broker_port), timeout=10)


def test_brokers_certificate_renewed_while_it_runs(scenario: Scenario) -> None:
    """`palier provision --renew`, SIGHUP: who is connected stays, who comes gets the new one."""
    plant, made = secure_plant(scenario)
    with plant:
        plant.settle()
        before = (made / SERVER_CERTIFICATE).read_bytes()
        with plant.fault():
            provision(made, Wanted(site=SITE, gateways=(EDGE,), renew=("server",)), datetime.now(UTC))
            assert (made / SERVER_CERTIFICATE).read_bytes() != before
            plant.broker.send(signal.SIGHUP)
            eventually(lambda: served(plant) == (made / SERVER_CERTIFICATE).read_text(), 30, "the new one")
            plant.links[EDGE].cut()
            plant.links["ingest"].cut()
            for link in plant.links.values():
                link.heal()
        plant.recovered()
        scenario.judge(plant)


def test_gateways_password_rotated_while_it_runs(scenario: Scenario) -> None:
    """The broker has the new one some seconds before the gateway."""
    plant, made = secure_plant(scenario)
    with plant:
        plant.settle()
        passwords = (made / PASSWORDS).read_text("utf-8").splitlines()
        with plant.fault():
            new = [line for line in passwords if not line.startswith(f"{EDGE}:")]
            (made / PASSWORDS).write_text("\n".join([*new, password_line(EDGE, "a new one")]) + "\n", "utf-8")
            plant.broker.send(signal.SIGHUP)
            time.sleep(1)
            plant.links[EDGE].cut()
            plant.links[EDGE].heal()
            eventually(lambda: plant.flow.age_s() > 4, 20, "a gateway that is not let in")
            (made / accounts((EDGE,))[EDGE]).write_text("a new one\n", "utf-8")
        plant.recovered()
        scenario.judge(plant)
