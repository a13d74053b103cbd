"""Channels that a Sparkplug node of somebody else's feeds: the gateway of a PLC, a SCADA system.

    [[machine.point.channel]]
    id = "n"
    quantity = "speed"
    unit = "r/min"
    sparkplug = "khouribga/automate-3/Ligne 2/Pompe 101/vitesse"   # group/node/device/metric
    sparkplug_scale = 0.1      # value = metric x scale + offset, in the channel's unit
    sparkplug_offset = 0.0

A metric's name may hold slashes; an empty device ("group/node//metric") is the node itself. One metric may
feed several channels: the speed of a line, those of its machines.
"""

from __future__ import annotations

from typing import Final

from models.types import ForeignMetric

from .strict_toml import Table

KEY: Final = "sparkplug"
LONGEST: Final = 1024  # characters; MQTT's topics and Sparkplug's names are shorter


def read_foreign(table: Table, *, block: bool) -> ForeignMetric | None:
    """What feeds a channel, None where a gateway of Palier's does. `block`: it is sampled in blocks."""
    text = table.text(KEY, "")
    scale = table.number(f"{KEY}_scale", 1.0)
    offset = table.number(f"{KEY}_offset", 0.0)
    if not text:
        for key in (KEY, f"{KEY}_scale", f"{KEY}_offset"):
            if key in table:
                table.mistake(key, f'{key} needs {KEY} = "group/node/device/metric" beside it')
        return None
    group, node, device, name = (*text.split("/", 3), "", "", "", "")[:4]
    if not (group and node and name) or len(text) > LONGEST or not _are_names(group, node, device):
        table.mistake(
            KEY,
            f'{KEY} must be "group/node/device/metric", with an empty device for a metric of the node itself '
            f'("group/node//metric"), and without + and #, got {text[:80]!r}',
        )
        return None
    if block:
        table.mistake(
            KEY, f"{KEY} is for slow readings: vibration comes in blocks, from a gateway of its own"
        )
    if scale == 0:
        table.mistake(f"{KEY}_scale", f"{KEY}_scale must not be 0: every value would be the offset")
    return ForeignMetric(group, node, device, name, scale or 1.0, offset or 0.0)


def _are_names(*names: str) -> bool:
    """Whether Sparkplug allows such names in a topic (tck-id-topic-structure-namespace-valid-group-id)."""
    return not any(sign in name for name in names for sign in "+#\0")
