"""What stands in deploy/ is what the services accept; no container engine is needed to know that."""

from __future__ import annotations

import re
from pathlib import Path

from dashboards.console.settings import ConsoleSettings
from ingest.settings import IngestSettings
from palier.brokers import MESSAGE_LIMIT
from palier.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy" / "compose"


def test_ingest_and_page_of_the_compose_file_share_one_data_folder() -> None:
    ingest = load_settings(IngestSettings, COMPOSE / "ingest.toml")
    page = load_settings(ConsoleSettings, COMPOSE / "console.toml")
    assert ingest.data == page.data == Path("/var/lib/palier")
    assert ingest.plant == page.plant == COMPOSE / "plant.toml"


def test_what_the_compose_file_mounts_is_there() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    mounted = re.findall(r"- (\./[^:]+):", text)
    assert mounted
    assert all((ROOT / path).exists() for path in mounted), mounted


def test_the_compose_file_publishes_on_loopback_only() -> None:
    published = re.findall(r'ports: \["([^"]+)"\]', (ROOT / "docker-compose.yml").read_text())
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_shipped_broker_takes_the_largest_frame() -> None:
    conf = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
    assert f"message_size_limit {MESSAGE_LIMIT}\n" in conf
