"""Keys of models: who trains signs, who runs an ingest believes nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from palier.registry import RegistryError
from palier.registry_keys import make_keys, public_key, signer


def test_what_one_key_signs_the_other_believes(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "site")
    assert private.stat().st_mode & 0o777 == 0o600
    signature = signer(private)(b"manifest")
    believed = Ed25519PublicKey.from_public_bytes(public_key(public))
    believed.verify(signature, b"manifest")
    with pytest.raises(InvalidSignature):
        believed.verify(signature, b"manifests")


def test_a_key_is_never_written_over_and_must_be_its_owners_alone(tmp_path: Path) -> None:
    private, _ = make_keys(tmp_path / "site")
    with pytest.raises(RegistryError, match="never written over"):
        make_keys(tmp_path / "site")
    private.chmod(0o644)
    with pytest.raises(RegistryError, match="chmod 600"):
        signer(private)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "site")
    with pytest.raises(RegistryError, match="not an ed25519 public key"):
        public_key(private)
    public.chmod(0o600)
    with pytest.raises(RegistryError, match="not an ed25519 private key"):
        signer(public)
    with pytest.raises(RegistryError, match="can't be read"):
        public_key(tmp_path / "none.pub")
