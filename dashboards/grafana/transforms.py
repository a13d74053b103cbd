"""What Grafana does to answers before it shows them: joins tables, takes JSON apart, leaves columns out.

A name that JSON lacks becomes the text `ABSENT`, which the columns show as a dash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from .sdk import models

Transform = models.DataTransformerConfig

ABSENT: Final = "Not Found"
"""What Grafana writes where a JSON text has nothing at a path."""


def joined(refs: Sequence[str], *, time: bool = True) -> list[Transform]:
    """The tables of several queries as one, by the tags that all of them have. The time is that of the first,
    or left out.
    """
    others = f"/^(?:{'|'.join(refs[1:] if time else refs)})$/"
    return [
        Transform(
            id_val="filterFieldsByName",
            filter_val=models.MatcherConfig(id_val="byRefId", options=others),
            options={"exclude": {"names": ["Time"]}},
        ),
        Transform(id_val="merge", options={}),
    ]


def taken_apart(source: str, paths: Mapping[str, str] | None = None) -> list[Transform]:
    """A column of JSON texts as columns of its own: name to path, or every key by its own name.

    The texts themselves are left out.
    """
    options: dict[str, object] = {"source": source, "format": "json", "replace": False, "keepTime": False}
    if paths is not None:
        options["jsonPaths"] = [{"path": path, "alias": name} for name, path in paths.items()]
    return [
        Transform(id_val="extractFields", options=options),
        Transform(id_val="organize", options={"excludeByName": {source: True}}),
    ]
