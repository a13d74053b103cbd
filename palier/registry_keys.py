"""Signatures of models: an ed25519 key pair, in the formats that openssl reads and writes.

    palier model keygen site          site.key (for who trains), site.pub (for the ingest)

`cryptography` is imported where it is needed: a plant that signs nothing does without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .extras import how_to_install
from .registry_journal import RegistryError

PRIVATE: Final = ".key"
PUBLIC: Final = ".pub"
_OTHERS: Final = 0o077
"""The rights of group and others."""


def make_keys(stem: Path) -> tuple[Path, Path]:
    """Write a new private key (STEM.key, for its owner only) and its public key (STEM.pub).

    Raises RegistryError; a key that is there is never written over.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private, public = stem.with_name(stem.name + PRIVATE), stem.with_name(stem.name + PUBLIC)
    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    shown = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    for path, content, mode in ((private, secret, 0o600), (public, shown, 0o644)):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as error:
            raise RegistryError(
                "key_exists",
                f"{path} is there already, and a key is never written over: take another name, or move it "
                "away",
                path=path,
            ) from error
        except OSError as error:
            raise RegistryError("not_writable", f"{path} can't be written: {error.strerror}") from error
    return private, public


def signer(path: Path) -> Callable[[bytes], bytes]:
    """What signs bytes with a private key: 64 bytes. Raises RegistryError for a file that is no such key, or
    that others may read.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & _OTHERS:
            raise RegistryError(
                "key_too_open",
                f"{path} may be read by others, who could then sign: chmod 600 {path}",
                path=path,
            )
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, TypeError) as error:
        raise _no_key(path, "private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key.sign


def public_key(path: Path) -> bytes:
    """The 32 bytes of a public key. Raises RegistryError for a file that is none."""
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, TypeError) as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return bytes(key.public_bytes_raw())


def _need_cryptography() -> None:
    if find_spec("cryptography") is None:
        raise RegistryError(
            "no_cryptography", f"signatures need cryptography, which is not installed: {how_to_install('ml')}"
        )


def _unreadable(path: Path, error: OSError) -> RegistryError:
    return RegistryError(
        "key_unreadable", f"the key {path} can't be read: {error.strerror}", path=path, why=error.strerror
    )


def _no_key(path: Path, what: str) -> RegistryError:
    return RegistryError(
        "no_key",
        f"{path} is not an ed25519 {what} key in PEM: `palier model keygen` makes a pair, the private one "
        "for `palier train --sign-key`, the public one for `[models] public_key_file`",
        path=path,
    )
