"""A gateway's configuration from the host: NCMD `Palier/Configuration`, signed by a person's key.

The signature binds the text to one gateway and one version, so that no message of yesterday, and none for
another gateway, can be used again. Who carries it (host, broker) need not be trusted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from palier.frames import NAME_PATTERN

from . import fields
from .commands import check_request
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, encode

CONFIGURATION: Final = "Palier/Configuration"

CONFIGURATION_METRICS: Final = ((CONFIGURATION, DataType.STRING),)
"""What a gateway's birth announces that it listens to."""

MAX_TEXT_BYTES: Final = 128 * 1024
"""Of a configuration: a thousand Modbus registers with a line for each key are some 120 kB."""

MAX_VERSION: Final = 2**31 - 1
"""A configuration an hour for 245,000 years."""

SIGNATURE_BYTES: Final = 64
"""Of ed25519 (RFC 8032)."""

_PURPOSE: Final = b"palier configuration 1\n"
"""Signed before all else: no signature of anything else, as of a model, is one of a configuration."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What gateway `edge` ("site/node") is to sample from: TOML with a `version` that rises, and the
    signature of `signed_bytes`. `request` tells one sending from another.
    """

    edge: str
    version: int
    text: str
    signature: bytes
    request: str


def signed_bytes(edge: str, version: int, text: str) -> bytes:
    """What is signed: purpose, gateway, version and text, none of which can run into the next."""
    return _PURPOSE + f"{edge}\n{version}\n".encode() + text.encode()


def text_hash(text: str) -> str:
    """16 hex digits by which people tell one configuration from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_configuration(configuration: Configuration) -> None:
    """DecodeError where no gateway would take it, whatever its text says."""
    site, _, node = configuration.edge.partition("/")
    if not (NAME_PATTERN.fullmatch(site) and NAME_PATTERN.fullmatch(node)):
        raise DecodeError(Reason.NAME, f"edge must be SITE/NODE, got {configuration.edge[:140]!r}")
    if not 1 <= configuration.version <= MAX_VERSION:
        raise DecodeError(
            Reason.RANGE, f"version must be from 1 to {MAX_VERSION}, got {configuration.version}"
        )
    try:
        size = len(configuration.text.encode())
    except UnicodeEncodeError as error:
        raise DecodeError(Reason.DECODE, "the configuration must be UTF-8 text, and is not") from error
    if not 0 < size <= MAX_TEXT_BYTES:
        raise DecodeError(
            Reason.SIZE, f"a configuration must have from 1 to {MAX_TEXT_BYTES} bytes of text, got {size}"
        )
    if len(configuration.signature) != SIGNATURE_BYTES:
        raise DecodeError(
            Reason.LENGTH,
            f"a signature must have {SIGNATURE_BYTES} bytes, got {len(configuration.signature)}",
        )
    check_request(configuration.request, CONFIGURATION)


def configuration_payload(configuration: Configuration, timestamp_ms: int) -> bytes:
    """NCMD of a configuration. DecodeError where no gateway would take it."""
    check_configuration(configuration)
    metric = Metric(
        CONFIGURATION,
        DataType.STRING,
        configuration.text,
        timestamp_ms=timestamp_ms,
        properties={
            "edge": configuration.edge,
            "version": configuration.version,
            "signature": configuration.signature.hex(),
            "request": configuration.request,
        },
    )
    return encode(Payload(timestamp_ms, (metric,), None, WIRE_VERSION))


def read_configuration(payload: Payload) -> Configuration | None:
    """The configuration in an NCMD, None where there is none. DecodeError where it can't be one."""
    if all(metric.name != CONFIGURATION for metric in payload.metrics):
        return None
    metrics = fields.by_name(payload)
    metric = metrics[CONFIGURATION]
    configuration = Configuration(
        edge=fields.property_text(metric, "edge"),
        version=fields.property_integer(metric, "version"),
        text=fields.text(metrics, CONFIGURATION),
        signature=read_signature(fields.property_text(metric, "signature")),
        request=fields.property_text(metric, "request"),
    )
    check_configuration(configuration)
    return configuration


def readable_request(payload: Payload) -> tuple[str, int] | None:
    """(request, version) of a configuration that can't be read otherwise, so that it can be refused."""
    metric = next((metric for metric in payload.metrics if metric.name == CONFIGURATION), None)
    if metric is None:
        return None
    try:
        request = check_request(metric.properties.get("request"), CONFIGURATION)
        return request, fields.property_integer(metric, "version", MAX_VERSION)
    except DecodeError:
        return None


def read_signature(text: str) -> bytes:
    """A signature of hex digits. DecodeError where it is none."""
    try:
        signature = bytes.fromhex(text)
    except ValueError as error:
        raise DecodeError(Reason.DECODE, f"a signature must be hex digits, got {text[:40]!r}") from error
    if len(signature) != SIGNATURE_BYTES:
        raise DecodeError(
            Reason.LENGTH, f"a signature must have {SIGNATURE_BYTES} bytes, got {len(signature)}"
        )
    return signature
