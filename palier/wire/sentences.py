"""What a gateway can say, in English, by code. The same in every language: `palier/locale`, [gateway_said].

A code once told is never given another meaning: gateways of several versions speak to one host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    # The agent itself.
    "disk_refuses": "the disk takes no frames: {waiting} in memory, {lost} lost",
    "packet_too_small": "the broker's max_packet_size is too small: {frames} frames wait",
    "frames_held": "frames are held: {why}",
    "clock_never_set": "the clock has not been set since this machine started",
    "clock_behind": "the clock shows a time before the newest frame in the outbox",
    "clock_no_server": "no time server has set the clock since this machine started",
    "frames_too_large": "{frames} frames were larger than a message may be: use shorter blocks",
    "outbox_set_aside": "the outbox was damaged and set aside: look at the disk",
    "clock_unsynced": "no time server has set the clock: frames are marked unsynced",
    "short_connections": (
        "connections end soon after they begin: a bad link, or another gateway of the same site and node"
    ),
    "disk_forgot": "the disk forgot {frames} frames that it had confirmed: change the card",
    "certificate_ends": "the broker's certificate ends on {day}: renew it (`palier provision`)",
    "limits_unheeded": (
        "the host set danger limits for {machines}: no source of this gateway cuts danger blocks of them, so "
        "the host judges their blocks alone"
    ),
    "attach_unheard": "[[attach]]: {name} of {machine} was not heard yet, so its blocks do not know it",
    "attach_speed_unit": (
        "[[attach]]: {name} of {machine} must be in r/min (or Hz, 1/s): give its row a scale and that unit; "
        "it is in {unit}"
    ),
    "attach_load_unit": (
        "[[attach]]: {name} of {machine} must be in %, or [[attach]] must say load_full in its unit; it is "
        "in {unit}"
    ),
    # Configurations from afar.
    "on_trial": "configuration {version} of the host is on trial, for {seconds} s yet",
    "went_back": "configuration {version} went back: {why}",
    "configuration_broken": (
        "configuration {version}, sent by the host, can't be used: {why}; agent.toml is in force"
    ),
    "trial_restarts": "the agent was started {starts} times within the trial",
    "trial_away": "broker or host were away for {seconds} s",
    "trial_fails": "a source that worked before fails: {why}",
    "trial_no_frame": "a source that worked before gave no frame: {sources}",
    "trial_nothing_works": "no source works, where one did before: {why}",
    "all_ended": "all have ended",
    "no_key": (
        "this gateway takes no configuration from the host: name the engineer's public key in agent.toml, "
        '[configuration] key_file = "configuration.pub" (`palier provision` makes it)'
    ),
    "for_another": "the configuration is for {edge}, and this gateway is {own}",
    "version_old": (
        "version {version} must be above {highest}, the highest that this gateway has taken: an old one is "
        "not taken again"
    ),
    "trial_is_on": "version {version} is on trial, for {seconds} s yet: send again when that is over",
    "wrong_signature": (
        "the signature is not that of the key of this gateway: sign with authority/configuration.key"
    ),
    "signature_unchecked": "the signature can't be checked: {why}",
    "type_unknown": "a source's type must be one of {known}, got {got}",
    "disk_refuses_this": "the disk does not take it: {why}; nothing was changed",
    "none_opens": "none of its sources can be opened, so the gateway would be silent",
    "not_changed": "the sources can't be changed: {kind}: {why}",
    # Sources, whatever they are of.
    "source_says": "source {source}: {why}",
    "source_hangs": "source {source} hangs: nothing for {seconds} s",
    "source_fails": "source {source} fails: {kind}: {why}",
    "row_says": "{row}: {why}",
    "read_late": (
        "{name} is read too late again and again ({gaps} gaps): too many sensors for this gateway, or a bus "
        "that is too slow for them (raise its clock)"
    ),
    "samples_lost": "{name} lost about {samples} samples in {gaps} gaps since it was opened",
    "rate_strays": (
        "{name} gives {measured} samples a second, its data sheet says {nominal}: is it the device that the "
        "table names? Blocks carry the measured rate"
    ),
    # Modbus.
    "slaves_say": "slave {slaves} at {where}: {why}",
    "no_answer": "no answer",
    "line_closed": "{where} can't be opened: {why}",
    "line_ended": "{where}: the connection ended",
    "nobody_there": "nobody answers at that address",
    "no_permission": "no permission; the agent's account must be in the group dialout",
    "line_busy": "another program uses it",
    "registers_refused": "{where} refuses {request}, wanted by {rows}: {why}",
    "more_in_journal": "and {more} more, see the journal",
    # OPC UA; `server` is its address.
    "opcua_nobody": ("the OPC UA server {server} can't be reached: nothing listens there; is it running?"),
    "opcua_hangs": (
        "the OPC UA server {server} does not answer: it hangs, or the network swallows what is sent"
    ),
    "opcua_untrusting": (
        "the OPC UA server {server} ended the connection ({why}): where it happens at once, it may not trust "
        "this gateway's certificate"
    ),
    "opcua_ended": "the OPC UA server {server} ended the connection ({why})",
    "opcua_unreached": "the OPC UA server {server} can't be reached: {why}",
    "opcua_garbage": "the OPC UA server {server} gave an answer that can't be used: {why}",
    "opcua_account": (
        "the OPC UA server {server} refuses {account} ({status}): look at username and password_file"
    ),
    "opcua_certificate": (
        "the OPC UA server {server} rejects this gateway's certificate {file} ({status}): have it trusted "
        "there"
    ),
    "opcua_full": (
        "the OPC UA server {server} has no room for one more session ({status}): end others there"
    ),
    "opcua_forgot_session": "the OPC UA server {server} has forgotten the session ({status})",
    "opcua_forgot_items": "the OPC UA server {server} has forgotten the subscription ({status})",
    "opcua_status": "the OPC UA server {server} answers {status}",
    "opcua_silent": "the server has published nothing for {seconds} s, keep-alives included",
    # JSON over MQTT.
    "broker_ended": "the broker {where} ended the connection: {why}",
    "broker_says": "{where}: {why}",
    "messages_useless": "{messages} messages on {topic} could not be used, the last one because {why}",
    # Thermometers.
    "w1_missing": (
        "thermometer {name} is missing: its wire is cut, or the bus is not switched on (dtoverlay=w1-gpio); "
        "there are: {others}"
    ),
    "w1_no_answer": "thermometer {name} does not answer ({why}): look at its wire",
    "w1_garbage": "thermometer {name} gives garbage ({got}): look at its wire",
    "w1_checksum": (
        "thermometer {name} fails its checksum: a long wire, a bad joint, or a pull-up of more than 4.7 kΩ"
    ),
    "w1_nothing": "thermometer {name} gives nothing: the data line is held, or cut",
    "w1_power": (
        "thermometer {name} says 85 °C, as it does after it lost its power: look at its supply wire (three "
        "wires, not two)"
    ),
    "w1_range": "thermometer {name} must be from -55 to 125 °C, got {got}",
    "probe_shorted": "the sensor is shorted, or its wires are (0 Ω)",
    "probe_open": "the sensor is open: more than {ohm} Ω",
    # Accelerometers.
    "self_test": "{name} fails its self-test: {why}",
    "audio_silent": "{name} gave no sample for {seconds} s: is it still plugged in?",
    "audio_gone": "{name} is gone ({why}): is it plugged in?",
    "no_more_samples": "{name} gives no more samples",
}
