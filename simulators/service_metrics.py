"""What a service on this machine tells Prometheus, read by who started it."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final

PATIENCE_S: Final = 2.0


def read_metrics(port: int) -> Mapping[str, float]:
    """The samples of a service by their name with its labels; empty while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    found = {}
    for line in lines:
        name, _, value = line.rpartition(" ")
        if name and not line.startswith("#"):
            found[name] = float(value)
    return found
