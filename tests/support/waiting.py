"""Waiting for a state: poll with a deadline, never sleep and hope."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 30.0, what: str = "the awaited state") -> T:
    """The first truthy answer of `look`; AssertionError naming `what` and the last answer after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds:g} s; last seen: {answer!r}")
        time.sleep(0.02)
