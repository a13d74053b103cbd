"""A trained model as data: bytes in, bytes out. Files, keys and clocks are the caller's.

A bundle is `manifest.json`, `arrays.npz`, for what scikit-learn fitted `model.skops`, and `manifest.sig`
where it is signed (ed25519, over its name, its version and the SHA-256 of the manifest). The manifest names
every other file with its SHA-256, and holds no time and no version number: the same data give the same bytes.

`load` believes nothing: sizes and first bytes before anything is read, then the signature where a key is
configured, the manifest, each file's hash, the arrays (numbers and texts only), the estimators (types of a
fixed list only), and at last whether the model gives the answers that it gave where it was trained. Whatever
is wrong is a `BundleError` with a sentence that says what to do; nothing of the bundle is in use then.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from models.features.gate import DoubleArray
from models.training.classifier import FaultClassifier, Named
from models.training.dataset import PointHistory
from models.training.detectors import BUILT_IN, Factory, Memory

from . import bundle_skops
from .bundle_answers import check_answers, check_order
from .bundle_checks import (
    ARRAYS,
    ESTIMATORS,
    KINDS,
    MANIFEST,
    MOST_BYTES,
    REASONS,
    SCHEMA,
    SIGNATURE,
    BundleError,
    check_hashes,
    check_signature,
    check_sizes,
    new_keys,
    read_manifest,
    refuse_pickles,
    signed_text,
    signer,
)
from .bundle_detector import DetectorModel, Scored, furthest_column
from .bundle_points import Arrays, Place, PointBaseline
from .bundle_zip import from_npz, to_npz

__all__ = [
    "ARRAYS", "ESTIMATORS", "KINDS", "MANIFEST", "MOST_BYTES", "REASONS", "SCHEMA", "SIGNATURE", "Bundle",
    "BundleError", "Manifest", "Parts", "Scored", "check_sizes", "load", "new_keys", "pack", "read_manifest",
    "signed_text", "signer",
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What was trained: its `kind`, what the `manifest` tells of it (JSON), its arrays and its estimators."""

    kind: str
    manifest: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    estimators: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """What a bundle tells of itself; `told` is all of it, as its JSON has it."""

    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the line of models that it belongs to."""
        return str(self.told["name"])

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return str(self.told["kind"])

    @property
    def points(self) -> Sequence[Mapping[str, Any]]:
        """Of each point: place, features with unit and order, rate, window, what it was trained on."""
        return tuple(self.told.get("points", ()))

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was measured when it was trained."""
        return dict(self.told.get("metrics", {}))

    @property
    def libraries(self) -> Mapping[str, str]:
        """The versions that it was trained with."""
        return dict(self.told.get("libraries", {}))

    @property
    def data_sha256(self) -> str:
        """The fingerprint of what it was trained on."""
        return str(self.told.get("data_sha256", ""))


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A model that has passed every check. `digest` is the SHA-256 of its manifest, and so of all of it."""

    manifest: Manifest
    digest: str
    signed: bool
    baselines: Mapping[Place, PointBaseline] = field(default_factory=dict)
    detector: DetectorModel | None = None
    classifier: FaultClassifier | None = None

    @property
    def name(self) -> str:
        """Of the line of models that it belongs to."""
        return self.manifest.name

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return self.manifest.kind

    @property
    def places(self) -> tuple[Place, ...]:
        """The points that it judges; of a classifier none: it goes by the kind of machine."""
        return self.detector.places if self.detector else tuple(self.baselines)

    def score(self, history: PointHistory) -> Scored:
        """What a detector, or a baseline, says of a history's blocks.

        Raises KeyError for a point that it does not know, ValueError for a classifier.
        """
        return self.step(self.start(history.place), history)[1]

    def start(self, place: Place) -> Memory:
        """What it remembers of a point before any block."""
        return self.detector.start(place) if self.detector else {}

    def step(self, memory: Memory, history: PointHistory) -> tuple[Memory, Scored]:
        """What it remembers after some blocks more of a point, and what it says of them."""
        return self.step_all([(memory, history)])[0]

    def step_all(self, items: Sequence[tuple[Memory, PointHistory]]) -> list[tuple[Memory, Scored]]:
        """The same for blocks of several points."""
        if self.detector is not None:
            return self.detector.step_all(items)
        if self.classifier is not None:
            raise ValueError("a classifier names faults, it scores nothing: call classify")
        return [(memory, _by_baseline(self.baselines[h.place], h)) for memory, h in items]

    def classify(self, history: PointHistory, levels: DoubleArray | None = None) -> Named:
        """What a classifier names in a history's blocks; `levels` (c,) of its columns in good health, by
        default the medians of the history's own healthy blocks. Raises ValueError for another kind.
        """
        if self.classifier is None:
            raise ValueError(f"a model of kind {self.kind} names no faults: call score")
        return self.classifier.classify(history, levels)


def pack(parts: Parts, *, name: str) -> dict[str, bytes]:
    """The files of a bundle by name; signed is it where it gets its version. Raises BundleError: a type is
    not allowed, or it grew too large."""
    files = {ARRAYS: to_npz(parts.arrays)}
    libraries = {"numpy": np.__version__, "scipy": scipy.__version__}
    if parts.estimators:
        try:
            files[ESTIMATORS] = bundle_skops.dumps(parts.estimators)
        except ValueError as error:
            raise BundleError("refused_type", f"this detector can't be kept: {error}") from None
        libraries["scikit-learn"] = _sklearn_version()
    told = {
        **parts.manifest,
        "schema": SCHEMA,
        "kind": parts.kind,
        "name": name,
        "libraries": libraries,
        "files": {file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
    }
    text = json.dumps(_plain(told), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    files[MANIFEST] = (text + "\n").encode()
    check_sizes({file: len(data) for file, data in files.items()})
    return files


def load(
    files: Mapping[str, bytes],
    *,
    spec: str = "",
    public_key: bytes | None = None,
    detectors: Mapping[str, Factory] | None = None,
    seconds: Callable[[], float] | None = None,
) -> Bundle:
    """The model of a bundle's files, after every check. Raises BundleError.

    With a `public_key` (32 bytes) only what it has signed as the version `spec` ("pumps:3") is believed.
    `detectors` are those that may be
    named, by default the built-in ones; `seconds` a clock: with one, a slow model is refused.
    """
    check_sizes({name: len(data) for name, data in files.items()})
    refuse_pickles(files)
    if public_key is not None:
        check_signature(files, public_key, spec)
    told = read_manifest(files[MANIFEST])
    check_hashes(files, told)
    arrays = _arrays(files[ARRAYS])
    estimators = _estimators(files, told)
    try:
        bundle = _made(
            told,
            files[MANIFEST],
            signed=public_key is not None,
            arrays=arrays,
            estimators=estimators,
            detectors=detectors or BUILT_IN,
        )
        check_order(bundle, arrays)
        check_answers(bundle, seconds)
    except BundleError:
        raise
    except Exception as error:
        raise BundleError(
            "broken",
            f"the bundle {told['name']} is not whole ({type(error).__name__}: {error}). Train it anew, or "
            "copy it again.",
        ) from error
    return bundle


def _arrays(data: bytes) -> Arrays:
    try:
        return from_npz(data)
    except Exception as error:  # of what numpy and zipfile make of a forged header there is no list
        raise BundleError("broken", f"{ARRAYS} can't be used: {error}. Train the model anew.") from error


def _estimators(files: Mapping[str, bytes], told: Mapping[str, Any]) -> dict[str, Any]:
    if ESTIMATORS not in files:
        return {}
    trained = str(told.get("libraries", {}).get("scikit-learn", ""))
    try:
        here = _sklearn_version()
        import skops.io  # noqa: F401
    except ImportError:
        raise BundleError(
            "library_missing",
            "the model needs scikit-learn and skops, which are not installed here: "
            "pip install '.[ml]' in Palier's source folder.",
        ) from None
    if trained.split(".")[:2] != here.split(".")[:2]:
        raise BundleError(
            "library_version",
            f"the model was trained with scikit-learn {trained or 'of a version nobody wrote down'}, here "
            f"is {here}: "
            "what one minor version wrote, another may read otherwise. Train it anew with the version that "
            "is "
            "here, or install the other.",
        )
    try:
        return bundle_skops.loads(files[ESTIMATORS])
    except ValueError as error:
        raise BundleError(
            "refused_type", f"{ESTIMATORS} is refused: {error}. Train the model anew."
        ) from None


def _made(
    told: dict[str, Any],
    manifest: bytes,
    *,
    signed: bool,
    arrays: Arrays,
    estimators: Mapping[str, Any],
    detectors: Mapping[str, Factory],
) -> Bundle:
    digest = hashlib.sha256(manifest).hexdigest()
    head = (Manifest(MappingProxyType(told)), digest, signed)
    if told["kind"] == "classifier":
        return Bundle(*head, classifier=FaultClassifier.of(told, arrays))
    if told["kind"] == "baselines":
        points = [PointBaseline.of(one, arrays, f"point.{i}") for i, one in enumerate(told["points"])]
        return Bundle(*head, baselines={one.place: one for one in points})
    if told["detector"] not in detectors:
        raise BundleError(
            "unknown_detector",
            f"the bundle needs the detector {told['detector']!r}, here are {', '.join(sorted(detectors))}: "
            "install "
            "the package that brings it, on this host too.",
        )
    return Bundle(*head, detector=DetectorModel.of(told, arrays, estimators, detectors))


def _by_baseline(one: PointBaseline, history: PointHistory) -> Scored:
    """T² and SPE of a baseline, in σ, as the watch takes them."""
    z = one.residuals(history)
    limit, multi = one.baseline.z, one.baseline.multivariate
    alone = np.where(np.isnan(z).all(axis=1), np.nan, np.max(np.nan_to_num(np.abs(z)), axis=1, initial=0.0))
    score = alone if multi is None else np.max(multi.scores(z), axis=0)
    score = np.where(history.context.running, score, np.nan)
    return Scored(score, limit, 0.9 * limit, score > limit, furthest_column(z, one.names))


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers of numpy as Python's, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sklearn_version() -> str:
    import sklearn

    return str(sklearn.__version__)
