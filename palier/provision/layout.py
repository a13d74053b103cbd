"""What the folder of `palier provision` holds. The names are fixed: docker-compose.yml mounts these files.

Every folder is 0700 and every file 0600: a container that mounts one runs as the owner of the folder.

    provision.json          site and host id; no secret
    ca.crt                  certificate of the private authority: what clients trust
    authority/ca.key        its key: needed to issue a certificate, by nothing that runs
    authority/configuration.key   signs gateways' configurations; for the engineer's own computer
    configuration.pub       what gateways check that by
    broker/                 mounted whole into the broker
    gateways/NODE/          to be copied beside agent.toml of that gateway
    secrets/                one secret a file, mounted one by one
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from palier.frames import NAME_PATTERN

MANIFEST: Final = "provision.json"
AUTHORITY_CERTIFICATE: Final = "ca.crt"
AUTHORITY_KEY: Final = "authority/ca.key"

CONFIGURATION_KEY: Final = "authority/configuration.key"
CONFIGURATION_PUBLIC: Final = "configuration.pub"
"""By which an engineer signs gateways' configurations, and what the gateways check that by."""

SERVER_CERTIFICATE: Final = "broker/server.crt"
SERVER_KEY: Final = "broker/server.key"
BROKER_AUTHORITY: Final = "broker/ca.crt"
PASSWORDS: Final = "broker/passwords"
ACL: Final = "broker/acl"
HEALTH_OPTIONS: Final = "broker/mosquitto_sub"
"""Options of the client mosquitto_sub, which reads them from $XDG_CONFIG_HOME/mosquitto_sub: so the broker's
health check has an account without a password in an argument list or an environment."""

GATEWAYS: Final = "gateways"
GATEWAY_FILES: Final = ("ca.crt", "password", "broker.toml", "configuration.pub")

BROKER_PORT: Final = 8883
"""The registered port of MQTT over TLS."""

LOOPBACK: Final = "localhost"
BROKER_NAMES: Final = (LOOPBACK, "127.0.0.1", "broker")
"""The broker is called so on its own host and in the network of docker-compose.yml."""

INFLUX_ADMIN: Final = "palier_admin"

INGEST: Final = "ingest"
CONSOLE: Final = "console"
OPERATOR: Final = "operator"
HEALTH: Final = "health"

SERVICE_ACCOUNTS: Final[Mapping[str, str]] = {
    INGEST: "secrets/mqtt_ingest_password",
    CONSOLE: "secrets/mqtt_console_password",
    OPERATOR: "secrets/mqtt_operator_password",
    HEALTH: "secrets/mqtt_health_password",
}
"""MQTT accounts that are no gateway's, and where the password of each is."""

SECRET_FILES: Final[Mapping[str, str]] = {
    "secrets/influx_admin_user": "name of InfluxDB's administrator; no secret, but its image reads a file",
    "secrets/influx_admin_password": "password of InfluxDB's administrator",
    "secrets/influx_admin_token": "token of InfluxDB's administrator",
    "secrets/influx_writer_password": "password of palier_writer, the ingest's account",
    "secrets/influx_writer_token": "token of palier_writer",
    "secrets/influx_reader_password": "password of palier_reader, the account of page and Grafana",
    "secrets/influx_reader_token": "token of palier_reader",
    "secrets/grafana_admin_password": "password of Grafana's administrator",
    "secrets/mqtt_ingest_password": "password of the ingest at the broker",
    "secrets/mqtt_console_password": "password of the page at the broker",
    "secrets/mqtt_operator_password": "password of the command line at the broker",
    "secrets/mqtt_health_password": "password of the broker's own health check",
    "secrets/page_password": "password of `responsable`, the page's first account, an engineer",
}
"""What docker-compose.yml mounts as secrets, each with what it is. 32 random bytes as 64 hex digits without
a newline (the first is a plain name): nothing in them needs quoting in a URL, a shell, INI, YAML or TOML.
InfluxDB 2.x lets nobody choose an ordinary token: there `palier historian setup` puts the server's in place
of the writer's and the reader's."""


def gateway_file(node: str, name: str) -> str:
    """Where a gateway's file is; `name` is one of GATEWAY_FILES."""
    return f"{GATEWAYS}/{node}/{name}"


def wrong_gateway(node: str) -> str | None:
    """Why a gateway can't be called so, or None. Its name is its account, its folder and part of topics."""
    if not NAME_PATTERN.fullmatch(node):
        return f"a gateway must be called by 1 to 64 of A-Z a-z 0-9 _ . -, and not . or .., got {node[:80]!r}"
    if node in SERVICE_ACCOUNTS:
        return f"a gateway must not be called {node!r}: that is the account of a service"
    return None


def accounts(gateways: tuple[str, ...]) -> dict[str, str]:
    """Every MQTT account, and the file that holds its password."""
    return {node: gateway_file(node, "password") for node in gateways} | dict(SERVICE_ACCOUNTS)
