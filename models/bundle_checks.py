"""What is checked of a bundle before anything in it is made: names, sizes, pickles, signature, hashes.
Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

SCHEMA: Final = "palier-bundle/1"

MANIFEST: Final = "manifest.json"
ARRAYS: Final = "arrays.npz"
ESTIMATORS: Final = "model.skops"
SIGNATURE: Final = "manifest.sig"

MOST_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {MANIFEST: 16 << 20, ARRAYS: 512 << 20, ESTIMATORS: 256 << 20, SIGNATURE: 64}
)
"""A plant of 1,000 points has 4, 250 and, with a forest for each kind of machine, 10 MB."""

KINDS: Final = ("baselines", "detector", "classifier")

REASONS: Final = (
    "missing_file", "unknown_file", "too_large", "pickled", "unsigned", "wrong_signature",
    "signed_otherwise", "not_json",
    "schema_version", "broken", "tampered", "refused_type", "library_missing", "library_version",
    "unknown_detector", "feature_order", "not_a_number", "wrong_answer", "slow",
)  # fmt: skip
"""Keys of `BundleError`: a locale must have `bundle.<key>` for each."""


_OLD_PICKLE: Final = (b"(", b"c", b"]", b"}", b"I", b"S", b"V", b"F", b"L", b"N")
"""With what a pickle of protocol 0 or 1 begins, which ends with a dot."""

_PACKED: Final = (b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x5d\x00", b"ZF")
"""With what joblib packs its pickles: gzip, bz2, xz, zlib, lzma, and its own."""


class BundleError(ValueError):
    """A bundle that can't be used: `key` is one of `REASONS`, the text a sentence that says what to do."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Whether files of these names and sizes can be a bundle, before any is read. Raises BundleError."""
    strange = sorted(set(sizes) - set(MOST_BYTES))
    if strange:
        raise BundleError(
            "unknown_file",
            f"a bundle has the files {', '.join(MOST_BYTES)} and no others, got {', '.join(strange)}: "
            "take it out, or train the model anew.",
        )
    for name in (MANIFEST, ARRAYS):
        if name not in sizes:
            raise BundleError(
                "missing_file", f"{name} is missing: the bundle is not whole yet. Copy all of its files."
            )
    for name, size in sizes.items():
        if size > MOST_BYTES[name]:
            raise BundleError(
                "too_large",
                f"{name} has {size:,} bytes, {MOST_BYTES[name]:,} at most are read: train fewer points in "
                "one "
                "bundle, or one detector for each kind of machine (per = kind).",
            )


def refuse_pickles(files: Mapping[str, bytes]) -> None:
    """Raises BundleError where a file is a pickle or joblib's: reading one executes what is in it."""
    for name, begins in ((MANIFEST, b"{"), (ARRAYS, b"PK"), (ESTIMATORS, b"PK")):
        data = files.get(name, begins)
        is_pickle = data[:1] == b"\x80" or (data[:1] in _OLD_PICKLE and data[-1:] == b".")
        if not data.startswith(begins) and (is_pickle or data.startswith(_PACKED)):
            raise BundleError(
                "pickled",
                f"{name} is a pickle, or what joblib writes: reading one would run any program that is in "
                "it, so it is never read. Train the model anew with `palier train`.",
            )


def read_manifest(data: bytes) -> dict[str, Any]:
    """The manifest as it stands, of the right schema. Raises BundleError. It imports nothing that a model
    needs."""
    try:
        told = json.loads(data.decode(), parse_constant=_no_constant, object_pairs_hook=each_once)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BundleError(
            "not_json",
            f"{MANIFEST} can't be read ({error}): it was cut off or edited. Copy the bundle again.",
        ) from None
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        version = told.get("schema") if isinstance(told, dict) else type(told).__name__
        raise BundleError(
            "schema_version",
            f"the bundle must be of the schema {SCHEMA}, got {version!r}: train it anew with this version of "
            "Palier, or bring Palier up to date.",
        )
    names = told.get("files")
    if told.get("kind") not in KINDS or not isinstance(told.get("name"), str) or not isinstance(names, dict):
        raise BundleError(
            "broken", f"{MANIFEST} lacks its kind, its name or its files. Train the model anew."
        )
    return told


def signed_text(spec: str, manifest: bytes) -> bytes:
    """What is signed of a version ("pumps:3") with this manifest: its place in the registry too, else one
    that was signed could be put where another belongs."""
    return f"{SCHEMA}\n{spec}\n{hashlib.sha256(manifest).hexdigest()}\n".encode()


def check_signature(files: Mapping[str, bytes], public_key: bytes, spec: str) -> None:
    """Whether the owner of a public key (32 bytes) signed this manifest as the version `spec`.

    Raises BundleError. A signature over the manifest alone, as the first ones were, says nothing of name and
    version and is refused: who may copy folders could bring back any model that ever was signed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if SIGNATURE not in files:
        raise BundleError(
            "unsigned",
            "the bundle is not signed, and here only signed ones are taken: train it with the plant's "
            "private key (`palier train --sign-key`), or take the public key out of the settings.",
        )
    signature, manifest = files[SIGNATURE], files[MANIFEST]

    def fits(text: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True

    if fits(signed_text(spec, manifest)):
        return
    if fits(manifest):
        raise BundleError(
            "signed_otherwise",
            f"the signature says nothing of the name and the version {spec}, as those of an earlier Palier: "
            "train the model anew with `palier train --sign-key`.",
        )
    raise BundleError(
        "wrong_signature",
        f"the signature does not fit the manifest as {spec}: it was changed after it was signed, is of "
        "another name or version, or was signed with another key. Fetch the model again from where it was "
        "trained.",
    )


def check_hashes(files: Mapping[str, bytes], told: Mapping[str, Any]) -> None:
    """Whether every file is what the manifest names, and as it was. Raises BundleError."""
    expected = told["files"]
    if set(expected) != set(files) - {MANIFEST, SIGNATURE}:
        raise BundleError(
            "missing_file",
            f"the manifest names the files {', '.join(sorted(expected))}, there are "
            f"{', '.join(sorted(set(files) - {MANIFEST, SIGNATURE}))}. Copy all files of the bundle again.",
        )
    for name, digest in expected.items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise BundleError(
                "tampered",
                f"{name} is not what the manifest says (SHA-256): it was cut off, changed, or is still being "
                "copied. Copy the bundle again.",
            )


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError where a name is there twice: of two readers each would believe
    another of the two."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} is there twice")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def new_keys() -> tuple[bytes, bytes]:
    """A private and its public key of ed25519, 32 bytes each. Keep the private one where nobody else
    reads."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def signer(private_key: bytes) -> Callable[[bytes], bytes]:
    """What signs with a private key of 32 bytes. Raises ValueError for any other length."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private_key).sign
