"""Wires that two sources can't share: one chip select, one address on a bus."""

from __future__ import annotations

from collections.abc import Iterable

from palier.source import Source


def addresses_of(source: Source | None) -> tuple[str, ...]:
    """What a source has for itself, as it says: "spi 0.0"; nothing where it does not say."""
    return tuple(getattr(source, "addresses", ()))


def shared(taken: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """A sentence for each address that two of these (name, addresses) have."""
    owners: dict[str, str] = {}
    found = []
    for name, addresses in taken:
        for address in addresses:
            other = owners.setdefault(address, name)
            if other is not name:
                found.append(
                    f"source {name}: {address} is taken by source {other}: two sources on one device would "
                    "take each other's samples; give one of them its own bus, chip select or address"
                )
    return tuple(found)
