"""The versions of MQTT that the agent speaks: 5, and 3.1.1 where a broker does not know it."""

from __future__ import annotations

from typing import Final

from paho.mqtt.enums import MQTTProtocolVersion

VERSIONS: Final = {MQTTProtocolVersion.MQTTv5: "5", MQTTProtocolVersion.MQTTv311: "3.1.1"}


def other(protocol: MQTTProtocolVersion) -> MQTTProtocolVersion:
    """The version to try where a broker does not speak this one."""
    if protocol == MQTTProtocolVersion.MQTTv5:
        return MQTTProtocolVersion.MQTTv311
    return MQTTProtocolVersion.MQTTv5
