"""The dashboards as they are built, each language once a test run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from dashboards.grafana.build import build


@cache
def built(lang: str = "fr") -> Mapping[str, bytes]:
    """All dashboards of a language: file name to JSON."""
    return build(lang)


def dashboard(name: str, lang: str = "fr") -> dict[str, Any]:
    """The body of one, which a test may change."""
    body: dict[str, Any] = json.loads(built(lang)[name])
    return body
