"""What docker-compose.yml and mosquitto.conf mount and read is what `palier provision` makes."""

from __future__ import annotations

import re
from pathlib import Path

from palier.provision.layout import BROKER_PORT, SECRET_FILES, SERVICE_ACCOUNTS
from palier.provision.site import expected_files

ROOT = Path(__file__).resolve().parents[2]


def test_the_broker_reads_files_that_are_made() -> None:
    conf = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
    read = set(re.findall(r"^\w+ /mosquitto/access/(\w\S*)$", conf, re.MULTILINE))
    assert read == {"server.crt", "server.key", "passwords", "acl"}
    assert {f"broker/{name}" for name in read} <= set(expected_files(()))
    assert f"listener {BROKER_PORT}\n" in conf


def test_the_compose_file_mounts_secrets_that_are_made() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    mounted = set(re.findall(r'file: "\$\{PALIER_PROVISION:-[^}]+\}/([^"]+)"', text))
    assert mounted
    assert mounted <= set(expected_files(()))


def test_no_account_shares_a_secret() -> None:
    assert len(set(SERVICE_ACCOUNTS.values())) == len(SERVICE_ACCOUNTS)
    assert set(SERVICE_ACCOUNTS.values()) <= SECRET_FILES.keys()
