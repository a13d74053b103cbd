"""The check of a configuration's signature: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from palier.wire.said import said
from palier.wire.sentences import SENTENCES

CHECK_S: Final = 60.0
"""The check of a signature takes a second on a Raspberry Pi, most of it Python's start."""

MAX_SENTENCE: Final = 2000

Verify = Callable[[Path, bytes, bytes], str]
"""Key file, message and signature: "" where they belong together, else a sentence."""


def verify_apart(key_file: Path, message: bytes, signature: bytes) -> str:
    """Check a signature in a process of its own: cryptography is more than this one's memory is for."""
    command = [sys.executable, "-P", "-m", "palier.configuration_keys", str(key_file)]
    try:
        done = subprocess.run(
            command, input=signature + message, capture_output=True, timeout=CHECK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return said("signature_unchecked", why=str(error))
    if done.returncode == 0:
        return ""
    why = done.stderr.decode(errors="replace").strip()[-MAX_SENTENCE:]
    if why == SENTENCES["wrong_signature"]:
        return said("wrong_signature")
    return why or said("signature_unchecked", why=f"the check ended with {done.returncode}")
