"""The generator's library, and the query that it lacks: one of InfluxDB, in InfluxQL.

Everything of grafana-foundation-sdk is imported here, once: its import warns that dashboards of the v2 format
are to be preferred, which file provisioning of Grafana 13 refuses.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        barchart,
        common,
        heatmap,
        stat,
        statetimeline,
        table,
        text,
        timeseries,
        xychart,
    )
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common as common_models
    from grafana_foundation_sdk.models import dashboard as models
    from grafana_foundation_sdk.models import heatmap as heatmap_models
    from grafana_foundation_sdk.models import text as text_models
    from grafana_foundation_sdk.models import xychart as xychart_models

__all__ = [
    "INFLUXDB",
    "Builder",
    "Dataquery",
    "InfluxQuery",
    "JSONEncoder",
    "barchart",
    "common",
    "common_models",
    "data_source",
    "heatmap",
    "heatmap_models",
    "models",
    "register_default_plugins",
    "stat",
    "statetimeline",
    "table",
    "text",
    "text_models",
    "timeseries",
    "xychart",
    "xychart_models",
]

INFLUXDB: Final = "influxdb"
"""The id of Grafana's InfluxDB plugin."""


def data_source(uid: str) -> common_models.DataSourceRef:
    """A reference to an InfluxDB data source; `uid` may be a variable ("${raw}")."""
    return common_models.DataSourceRef(type_val=INFLUXDB, uid=uid)


@dataclass(frozen=True)
class InfluxQuery(Dataquery):
    """One InfluxQL statement of a panel, an annotation or an alert rule.

    `alias` names the series ("$tag_point"); it is empty where `as_table` keeps rows and columns as they are.
    `columns` are the annotation's: which column is its text, which are its tags.
    """

    ref_id: str
    source: str
    query: str
    as_table: bool = False
    alias: str = ""
    columns: tuple[str, str] | None = None

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it: raw-query mode, so that the text is sent as it is."""
        payload: dict[str, object] = {
            "refId": self.ref_id,
            "datasource": data_source(self.source),
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "table" if self.as_table else "time_series",
        }
        if self.alias:
            payload["alias"] = self.alias
        if self.columns is not None:
            text_column, tags_column = self.columns
            payload |= {
                "fromAnnotations": True,
                "textEditor": True,
                "textColumn": text_column,
                "tagsColumn": tags_column,
            }
        return payload
