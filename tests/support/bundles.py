"""Small bundles, and what is done to them that must not be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from models import bundle
from models.bundle import BundleError, Parts
from models.training.fit import train_baselines, train_detector
from tests.support.histories import healthy

Files = dict[str, bytes]


def refused(some: Files, key: str, **more: Any) -> str:
    """The sentence with which these files are refused, for this reason."""
    with pytest.raises(BundleError) as error:
        bundle.load(some, **more)
    assert error.value.key == key, str(error.value)
    sentence = str(error.value)
    assert sentence.endswith(".")
    return sentence


def edited(some: Files, change: Callable[[dict[str, Any]], Any], **replaced: bytes) -> Files:
    """The files with another manifest, whose hashes fit what is there."""
    made = {**some, **{name.replace("_", "."): data for name, data in replaced.items()}}
    told = json.loads(made["manifest.json"])
    change(told)
    told["files"] = {n: hashlib.sha256(made[n]).hexdigest() for n in told["files"]}
    return {**made, "manifest.json": json.dumps(told).encode()}


@cache
def trained() -> Parts:
    parts = train_baselines([healthy(8), healthy(8, machine="M-2", channels=("X", "Y"))]).parts
    assert parts is not None
    return parts


@cache
def files() -> dict[str, bytes]:
    return bundle.pack(trained(), name="baselines")


@cache
def pca_files() -> dict[str, bytes]:
    parts = train_detector([healthy(8)], "pca").parts
    assert parts is not None
    return bundle.pack(parts, name="pca")


def nothing(_told: dict[str, Any]) -> None:
    """The manifest stays, its hashes are made anew."""
