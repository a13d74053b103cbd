"""A gateway in words, for page and command line; and what a configuration changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from .gateway_said import told_text, told_texts
from .locale.spacing import HARD_SPACE

if TYPE_CHECKING:
    from .gateways import GatewayTold
    from .locale import Catalogue
    from .plant_times import Times
    from .wire.status import GatewayStatus

_UNITS: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_FRENCH: Final = {"GB": "Go", "MB": "Mo", "kB": "ko", "B": "o"}
_DAY_S: Final = 86_400


def size_text(n_bytes: float, words: Catalogue) -> str:
    """12 GB or 4.2 GB, as the language writes it."""
    factor, unit = next((one for one in _UNITS if n_bytes >= one[0]), _UNITS[-1])
    value = n_bytes / factor
    return f"{words.number(value, 1 if value < 10 and factor > 1 else 0)}{HARD_SPACE}{_unit(unit, words)}"


def _unit(unit: str, words: Catalogue) -> str:
    return _FRENCH[unit] if words.lang == "fr" else unit


def configuration_text(status: GatewayStatus, words: Catalogue) -> str:
    """Which configuration is in force, and how far it is."""
    state = status.state or "none"
    key = f"cli.gateway_conf_{state}"
    key = key if key in words else "cli.gateway_conf_none"
    return words.text(key, version=status.configuration_version or 0, hash=status.configuration_hash or "")


def answer_text(status: GatewayStatus, words: Catalogue) -> str:
    """What became of the last configuration that was sent; "" where none was."""
    key = f"cli.gateway_answer_{status.answer}"
    if status.answer is None or key not in words:
        return ""
    why = told_text(status.answer_sentence or "", status.answer_code, words)
    return words.text(key, version=status.answer_version or 0, why=why)


def clock_text(status: GatewayStatus, words: Catalogue) -> str:
    """The state of its clock."""
    key = f"cli.gateway_clock_{status.clock or 'none'}"
    return words.text(key if key in words else "cli.gateway_clock_none")


def card_text(status: GatewayStatus, words: Catalogue) -> str:
    """Free space of its card."""
    if status.card_free is None or status.card_total is None:
        return words.text("cli.gateway_clock_none")
    free, total = size_text(status.card_free, words), size_text(status.card_total, words)
    return words.text("cli.gateway_free", free=free, total=total)


def gateway_table(found: Sequence[GatewayTold], words: Catalogue, times: Times, now_ns: int) -> Iterator[str]:
    """A line for each gateway below the names of the columns."""
    rows = [
        [
            words.text(f"cli.gateway_{name}")
            for name in ("node", "version", "clock", "card", "configuration", "problems")
        ]
    ]
    for told in found:
        status = told.status
        problems = len(status.problems or ())
        silent = told.is_silent(now_ns)
        rows.append(
            [
                told.edge,
                status.version,
                clock_text(status, words),
                card_text(status, words),
                configuration_text(status, words),
                words.text("cli.gateway_silent", time=times.text(told.told_ns))
                if silent
                else words.number(problems, 0),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def gateway_lines(told: GatewayTold, words: Catalogue, times: Times, now_ns: int) -> Iterator[str]:
    """All of a gateway."""
    status = told.status
    said = "gateway_silent" if told.is_silent(now_ns) else "gateway_told"
    yield f"{told.edge}  ({words.text(f'cli.{said}', time=times.to_the_second(told.told_ns))})"
    for name, text in facts(status, words):
        yield f"    {words.text(f'cli.gateway_{name}')}{words.colon}{text}"
    problems = told_texts(status.problems, status.problem_codes, words)
    notes = told_texts(status.notes, status.note_codes, words)
    for name, sentences in (("problems", problems), ("notes", notes)):
        none = words.text("cli.gateway_none")
        yield f"    {words.text(f'cli.gateway_{name}')}{words.colon}{'' if sentences else none}".rstrip()
        yield from (f"        {sentence}" for sentence in sentences)


def facts(status: GatewayStatus, words: Catalogue) -> Iterator[tuple[str, str]]:
    """What is known of a gateway: (part of the key `cli.gateway_...`, text)."""
    return ((name, text) for name, text in _facts(status, words) if text)


def _facts(status: GatewayStatus, words: Catalogue) -> Iterator[tuple[str, str]]:
    yield "version", status.version
    yield "python", status.python or ""
    yield "system", status.system or ""
    yield "board", status.board or ""
    yield "clock", clock_text(status, words)
    yield "card", card_text(status, words)
    if status.memory_free is not None and status.memory_total is not None:
        free, total = size_text(status.memory_free, words), size_text(status.memory_total, words)
        yield "memory", words.text("cli.gateway_free", free=free, total=total)
    if status.cpu_celsius is not None:
        yield "cpu", words.quantity(status.cpu_celsius, "°C")
    if status.uptime_s is not None:
        yield "uptime", _duration(status.uptime_s, words)
    if status.outbox_bytes is not None and status.outbox_cap is not None:
        sizes = {"bytes": size_text(status.outbox_bytes, words), "cap": size_text(status.outbox_cap, words)}
        pending = words.number(status.pending or 0, 0)
        yield "outbox", words.text("cli.gateway_outbox_line", pending=pending, **sizes)
    if status.fsyncs_per_h is not None:
        written = size_text(status.written_per_h or 0, words)
        fsyncs = words.number(status.fsyncs_per_h, 0)
        yield "writes", words.text("cli.gateway_writes_line", fsyncs=fsyncs, bytes=written)
    yield "sources", ", ".join(status.sources or ())
    yield "configuration", configuration_text(status, words)
    yield "answer", answer_text(status, words)


def _duration(seconds: int, words: Catalogue) -> str:
    days, rest = divmod(seconds, _DAY_S)
    hours, rest = divmod(rest, 3600)
    clock = f"{hours}:{rest // 60:02d} h"
    day = "j" if words.lang == "fr" else "d"
    return f"{days} {day} {clock}" if days else clock


def difference(before: str, now: str) -> list[str]:
    """The lines that differ, as diff -u writes them: of what both say, not of how they are written."""
    from .strict_toml import ConfigError, parse_toml
    from .toml_text import toml_text

    def plain(text: str) -> list[str]:
        try:
            return toml_text(parse_toml(text, "FILE").data).splitlines()
        except ConfigError:
            return text.splitlines()

    found = difflib.unified_diff(plain(before), plain(now), "-", "+", lineterm="", n=2)
    return [line for line in found if not line.startswith(("--- ", "+++ "))]
