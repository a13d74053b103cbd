"""The optional parts of Palier: what each brings, and how to get one that is missing.

Palier is installed from its source folder, so that is where the advice leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "web": ("starlette", "uvicorn", "jinja2", "argon2"),
    "demo": ("iotcore",),
    "parquet": ("pyarrow",),
    "influx": ("influxdb_client", "orjson", "urllib3"),
    "provision": ("cryptography",),
    "dashboards": ("grafana_foundation_sdk",),
    "grafana": ("grafana_client",),
    "report": ("weasyprint", "jinja2"),
    "ml": ("sklearn", "skops", "cryptography"),
    "notebook": ("pandas", "matplotlib", "jupyterlab"),
    "scale": ("distributed", "dask"),
    "fast": ("numba",),
    "i2c": ("smbus2",),
    "modbus": ("pymodbus", "serial"),
    "audio": ("sounddevice",),
    "zstd": ("zstandard",),
    "edge": ("smbus2", "pymodbus", "serial", "sounddevice", "zstandard"),
    "spi": ("spidev",),
    "opcua": ("asyncua",),
}
"""The modules that each extra of pyproject.toml brings."""


def how_to_install(extra: str) -> str:
    """What to do for an extra, for the end of a sentence."""
    return f"pip install '.[{extra}]' in Palier's source folder"


def missing(extra: str) -> tuple[str, ...]:
    """The modules of an extra that are not installed."""
    return tuple(module for module in EXTRAS[extra] if find_spec(module) is None)


def extra_of(module: str | None) -> str | None:
    """The extra that brings a module or its parent, None where none does."""
    top = (module or "").partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)
