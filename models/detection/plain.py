"""Baselines and detector states as plain arrays by name, and as one text: what a store or a bundle keeps.

Arrays go as their bytes, packed and in base64, so that what comes back is the same to the last bit.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .baseline import Baseline

Arrays = dict[str, npt.NDArray[Any]]
T = TypeVar("T")

_KINDS: Final = "fiub"

_QUICK: Final = 1  # zlib's level: a state is packed with each block, and higher levels gain a few percent


def to_arrays(value: Any) -> Arrays:
    """The arrays of a (nested) dataclass of arrays, numbers and texts, by name; "a.b" for what is inside."""
    found: Arrays = {}
    for f in fields(value):
        part = getattr(value, f.name)
        if is_dataclass(part):
            found |= {f"{f.name}.{name}": array for name, array in to_arrays(part).items()}
        elif part is not None:
            found[f.name] = np.asarray(part)
    return found


def from_arrays(kind: type[T], arrays: Mapping[str, npt.NDArray[Any]]) -> T:
    """What `to_arrays` took apart. Raises ValueError where a part is missing."""
    hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    made: dict[str, Any] = {}
    for f in fields(kind):  # type: ignore[arg-type]
        made[f.name] = _part(hints[f.name], f.name, arrays)
    return kind(**made)


def baseline_to_arrays(baseline: Baseline) -> Arrays:
    """A baseline as arrays by name, as numpy.savez takes them."""
    return to_arrays(baseline)


def baseline_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Baseline:
    """The baseline of these arrays. Raises ValueError where one is missing: it is of another version."""
    from .baseline import Baseline  # who only decodes does not pay for the signal library (50 MB)

    return from_arrays(Baseline, arrays)


def encode(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Arrays as one line of ASCII: a line of JSON that tells types and shapes, then their bytes, packed."""
    told: list[list[Any]] = []
    body: list[bytes] = []
    for name, array in arrays.items():
        if array.dtype.kind == "U":
            told.append([name, "U", array.shape, array.ravel().tolist()])
        else:
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            told.append([name, little.dtype.str, array.shape])
            body.append(little.tobytes())
    head = json.dumps(told, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(b"\n".join((head, b"".join(body))), _QUICK)).decode("ascii")


def decode(text: str) -> Arrays:
    """What `encode` wrote. Raises ValueError for anything else."""
    try:
        head, _, body = zlib.decompress(base64.b64decode(text, validate=True)).partition(b"\n")
        found: Arrays = {}
        first = 0
        for name, dtype, shape, *texts in json.loads(head):
            if dtype == "U":
                found[name] = np.array(texts[0], dtype=np.str_).reshape(shape)
                continue
            found[name] = _array(dtype, shape, body, first)
            first += found[name].nbytes
    except (TypeError, ValueError, IndexError, zlib.error) as error:
        raise ValueError(f"this is no text of arrays by name: {error}") from None
    return found


def _array(dtype: str, shape: list[int], body: bytes, first: int) -> npt.NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind not in _KINDS:
        raise ValueError(f"arrays must be of numbers or texts, got {dtype}")
    count = math.prod(shape)
    array = np.frombuffer(body, kind, count, first) if count else np.empty(0, kind)
    return array.reshape(shape).astype(kind.newbyteorder("="))


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _part(hint: Any, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    inside = {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}.")}
    optional = type(None) in getattr(hint, "__args__", ())
    kinds = [h for h in getattr(hint, "__args__", (hint,)) if isinstance(h, type) and is_dataclass(h)]
    if kinds:
        return from_arrays(kinds[0], inside) if inside or not optional else None
    if name not in arrays:
        raise ValueError(f"{name} is missing: this was written by another version")
    array = arrays[name]
    if hint in (int, float):
        return hint(array)
    return tuple(array.tolist()) if getattr(hint, "__origin__", None) is tuple else array
