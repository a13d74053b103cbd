"""The ed25519 key by which an engineer signs gateways' configurations, and the check on the gateway.

`palier provision` makes the pair. `cryptography` is imported where it is needed: a running agent never does.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .extras import how_to_install
from .wire.sentences import SENTENCES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE_BYTES: Final = 64
_OTHERS: Final = 0o077
"""The rights of group and others."""


class SigningError(Exception):
    """A key that can't be used; the sentence says which and what to do."""


def new_private_key() -> bytes:
    """A new private key in PEM."""
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_of(private_pem: bytes, name: str) -> bytes:
    """The public key of a private one, both PEM; `name` is how a mistake calls it. Raises SigningError."""
    from cryptography.hazmat.primitives import serialization

    return (
        _private(private_pem, name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def is_public(pem: bytes) -> bool:
    """Whether it is a public key of ours in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return isinstance(load_pem_public_key(pem), Ed25519PublicKey)
    except (ValueError, TypeError):
        return False


def sign(key_file: Path, message: bytes) -> bytes:
    """The signature of a message, 64 bytes. Raises SigningError, also for a key that others may read."""
    _need_cryptography()
    try:
        if key_file.stat().st_mode & _OTHERS:
            raise SigningError(f"{key_file} may be read by others, who could then sign: chmod 600 {key_file}")
        pem = key_file.read_bytes()
    except OSError as error:
        raise SigningError(f"the key {key_file} can't be read: {error.strerror}") from error
    return _private(pem, str(key_file)).sign(message)


def why_not_signed(key_file: Path, message: bytes, signature: bytes) -> str:
    """ "" where the key signed the message; else a sentence. Raises SigningError where it can't be told."""
    _need_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(key_file.read_bytes())
    except OSError as error:
        raise SigningError(f"the key {key_file} can't be read: {error.strerror}") from error
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SigningError(
            f"{key_file} is not an ed25519 public key in PEM: copy configuration.pub of "
            "`palier provision` there"
        )
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return SENTENCES["wrong_signature"]
    return ""


def _private(pem: bytes, name: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(
            f"{name} is not an ed25519 private key in PEM: `palier provision` makes "
            "authority/configuration.key"
        )
    return key


def _need_cryptography() -> None:
    if find_spec("cryptography") is None:
        raise SigningError(
            f"signatures need cryptography, which is not installed: {how_to_install('provision')}"
        )


def main(arguments: list[str]) -> int:
    """`python -P -m palier.configuration_keys KEY < signature + message`: 0 signed, 1 not, 2 can't tell.

    A process of its own, so that the agent, which has little memory, does without cryptography.
    """
    data = sys.stdin.buffer.read()
    try:
        why = why_not_signed(Path(arguments[0]), data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES])
    except SigningError as error:
        os.write(2, str(error).encode())
        return 2
    os.write(2, why.encode())
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
