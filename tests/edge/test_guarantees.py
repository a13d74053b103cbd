"""Each promise of docs/guarantees.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_promise_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    promises = re.split(r"^- ", text, flags=re.MULTILINE)[1:]
    named = [re.findall(r"`([\w/]+\.py)::(\w+)`", promise) for promise in promises]
    assert len(promises) > 20
    assert all(named), "a promise without a test"
    for file, test in {one for tests in named for one in tests}:
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"^(def {test}\(|{test} = )", source, re.MULTILINE), f"{file}::{test}"
