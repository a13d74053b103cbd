"""What must be true of every service of a compose file: `faults` tells what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Compose = Mapping[str, Any]

PROVISIONED: Final = re.compile(r"\$\{PALIER_PROVISION:-[^}]*\}/(.+)")
OPEN_PORTS: Final = {("broker", "8883")}
"""What the gateways' network may reach: TLS with an account."""


def faults(compose: Compose, provisioned: set[str]) -> list[str]:
    """Every fault, a sentence that begins with the service's name; `provisioned` are the files of secrets."""
    found = [f"{name}: {fault}" for name, one in compose["services"].items() for fault in _service(name, one)]
    return found + list(_secrets(compose, provisioned))


def _service(name: str, one: Compose) -> Iterator[str]:
    yield from _image(str(one.get("image", "")))
    yield from _rights(one)
    yield from _limits(one)
    health = one.get("healthcheck", {})
    if not health.get("test") and not (health.get("disable") and one.get("restart") == "no"):
        yield "has no health check, and is no service that ends by itself"
    for port in one.get("ports", ()):
        *address, _, inside = re.sub(r"\$\{[^}:]+:-([^}]*)\}", r"\1", port).split(":")
        if address != ["127.0.0.1"] and (name, inside) not in OPEN_PORTS:
            yield f"publishes {port} to the network"
    for key, value in one.get("environment", {}).items():
        if re.search(r"PASSWORD|TOKEN|SECRET", key) and not key.endswith("_FILE"):
            yield f"has the secret {key} in its environment: {value!r}"


def _image(image: str) -> Iterator[str]:
    tag = image.rpartition(":")[2] if ":" in image else ""
    if not re.search(r"\d+\.\d+", tag) or "latest" in tag:
        yield f"has the image {image!r}, which is not pinned to a version"


def _rights(one: Compose) -> Iterator[str]:
    if one.get("read_only") is not True:
        yield "may write to its root file system"
    if one.get("cap_drop") != ["ALL"]:
        yield "keeps capabilities"
    if "no-new-privileges:true" not in one.get("security_opt", ()):
        yield "may gain rights"
    if one.get("privileged"):
        yield "is privileged"
    user = str(one.get("user", ""))
    alone = one.get("network_mode") == "none" and one.get("restart") == "no"
    if not user.startswith("${PALIER_UID:?") and not alone:
        yield f"runs as {user or 'its image says'!r}: only what has no network and ends by itself may be root"


def _limits(one: Compose) -> Iterator[str]:
    for key in ("mem_limit", "cpus", "pids_limit"):
        if key not in one:
            yield f"has no {key}"
    if "max-size" not in one.get("logging", {}).get("options", {}):
        yield "has a log without a limit"


def _secrets(compose: Compose, provisioned: set[str]) -> Iterator[str]:
    stated = compose.get("secrets", {})
    for name, one in compose["services"].items():
        for secret in one.get("secrets", ()):
            if secret not in stated:
                yield f"{name}: has the secret {secret}, which the file does not state"
    used = {secret for one in compose["services"].values() for secret in one.get("secrets", ())}
    for name, where in stated.items():
        path = PROVISIONED.fullmatch(where.get("file", ""))
        if path is None or path[1] not in provisioned:
            yield f"{name}: the secret's file {where.get('file')} is not one that palier provision makes"
        if name not in used:
            yield f"{name}: the secret is nobody's"
