"""Estimators of scikit-learn as bytes, and back, without pickle: by skops, of a fixed list of types.

skops keeps a tree of types and arrays in a zip. Before it sees a byte, every type that the tree names is
looked up in `ALLOWED`: what is not there is refused, whatever skops itself would trust. What it made is
looked at before it is asked anything: scikit-learn walks trees and support vectors in C, and checks no
bounds. The numbers by which skops tells objects apart are addresses in memory; here they are counted from 0,
so that the same estimator gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from .bundle_checks import each_once
from .bundle_zip import unzipped, zipped

ALLOWED: Final = frozenset(
    {
        ("builtins", "dict", "DictNode"),
        ("builtins", "list", "ListNode"),
        ("builtins", "tuple", "TupleNode"),
        ("builtins", "str", "JsonNode"),  # any number, text or None, as JSON
        ("builtins", "str", "TypeNode"),  # the type of the keys of a dictionary
        ("numpy", "ndarray", "NdArrayNode"),
        ("numpy", "float64", "NdArrayNode"),
        ("numpy", "int64", "NdArrayNode"),
        ("sklearn.ensemble._iforest", "IsolationForest", "ObjectNode"),
        ("sklearn.svm._classes", "OneClassSVM", "ObjectNode"),
        ("sklearn.tree._classes", "ExtraTreeRegressor", "ObjectNode"),
        ("sklearn.tree._tree", "Tree", "TreeNode"),
    }
)
"""(module, class, node of skops) of everything that the built-in detectors are made of."""

_SCHEMA: Final = "schema.json"
_TREE: Final = "sklearn.tree._tree.Tree"  # the one of them that skops does not trust by itself
_DEEPEST: Final = 64
_NPY: Final = b"\x93NUMPY"


def dumps(estimators: Mapping[str, Any]) -> bytes:
    """Fitted estimators by name. Raises ValueError for one of a type that is not allowed."""
    import skops.io  # an extra

    members = unzipped(skops.io.dumps(dict(estimators)))
    tree = json.loads(members.pop(_SCHEMA))
    check(tree)
    numbers: dict[Any, int] = {}
    files: dict[str, bytes] = {}
    for node in _nodes(tree):
        number = numbers.setdefault(node.get("__id__"), len(numbers))
        if "__id__" in node:
            node["__id__"] = number
        if node.get("type") == "numpy" and isinstance(node.get("file"), str):
            body = members[node["file"]]
            node["file"] = f"{number}.npy"
            files[node["file"]] = body
    return zipped({**files, _SCHEMA: json.dumps(tree, separators=(",", ":")).encode()})


def loads(data: bytes) -> dict[str, Any]:
    """What `dumps` wrote. Raises ValueError for anything else, before any of it is made."""
    import skops.io

    members = unzipped(data)
    try:
        tree = json.loads(members[_SCHEMA], object_pairs_hook=each_once)
    except (KeyError, ValueError, RecursionError):
        raise ValueError("it has no schema.json that can be read") from None
    check(tree)
    if not all(name == _SCHEMA or body.startswith(_NPY) for name, body in members.items()):
        raise ValueError("its members must be arrays")
    try:
        found = skops.io.loads(data, trusted=[_TREE])
    except Exception as error:  # noqa: BLE001 - whatever a library makes of a wrong file
        raise ValueError(f"skops can't read it: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("it must hold estimators by name")
    try:
        _check_bounds(found)
    except (AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"an estimator is not whole: {error}") from None
    return found


def check(tree: Any) -> None:
    """Raises ValueError where a tree of skops names a type that is not allowed."""
    for node in _nodes(tree):
        kind = tuple(node.get(name) for name in ("__module__", "__class__", "__loader__"))
        if kind in ALLOWED or kind == (None, None, None):
            continue
        raise ValueError(f"it holds a {kind[0]}.{kind[1]} ({kind[2]}), which is not on the list of types")


def _check_bounds(value: Any, depth: int = 0) -> None:
    """Raises ValueError where an estimator would read beyond its arrays, or never come to an end."""
    if depth > _DEEPEST:
        raise ValueError(f"its estimators are nested deeper than {_DEEPEST}")
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            _check_bounds(part, depth + 1)
    elif type(value).__name__ == "IsolationForest":
        columns = {value.n_features_in_, value._max_features, *(e.n_features_in_ for e in value.estimators_)}
        if len(columns) != 1:
            raise ValueError("the trees of a forest are of other columns than the forest")
        _check_bounds(list(value.estimators_), depth + 1)
    elif type(value).__name__ == "ExtraTreeRegressor":
        _check_tree(value.tree_, value.n_features_in_)
    elif type(value).__name__ == "OneClassSVM":
        _check_machine(value)


def _check_tree(tree: Any, columns: int) -> None:
    """A node's children come after it, and a column is there: so every walk ends at a leaf."""
    if not 0 < tree.node_count == tree.capacity:
        raise ValueError(f"a tree declares {tree.node_count} nodes and holds {tree.capacity}")
    inner = np.flatnonzero(tree.children_left != -1)
    for children in (tree.children_left[inner], tree.children_right[inner]):
        if not ((children > inner) & (children < tree.node_count)).all():
            raise ValueError("a node of a tree leads back, or nowhere")
    if not ((tree.feature[inner] >= 0) & (tree.feature[inner] < columns)).all():
        raise ValueError("a node of a tree asks for a column that is not there")


def _check_machine(machine: Any) -> None:
    """Each support vector has its place and its weight."""
    n, columns = machine.support_vectors_.shape
    shapes = (
        (machine.support_, (n,)), (machine._n_support, (2,)), (machine.dual_coef_, (1, n)),
        (machine._dual_coef_, (1, n)), (machine.intercept_, (1,)), (machine._intercept_, (1,)),
    )  # fmt: skip
    fits = all(array.shape == shape for array, shape in shapes) and columns == machine.n_features_in_
    if not fits or machine.kernel != "rbf" or int(machine.n_support_.sum()) != n:
        raise ValueError("the support vectors of a machine and their weights do not fit")


def _nodes(tree: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every dictionary of a tree, from the top. Raises ValueError where it is too deep."""
    if depth > _DEEPEST:
        raise ValueError(f"its tree is deeper than {_DEEPEST}")
    if isinstance(tree, dict):
        yield tree
        parts = list(tree.values())
    else:
        parts = tree if isinstance(tree, list) else []
    for part in parts:
        yield from _nodes(part, depth + 1)
