"""What a gateway tells of itself, from kernel files that are there, odd, or missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge_agent.telling import APART_S, EVERY_S, LOOK_S, Board, Telling, card
from palier.wire.status import GatewayStatus


def tree(root: Path, files: dict[str, str]) -> Board:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Board(root)


def test_a_raspberry_pi_tells_its_name_heat_memory_and_uptime(tmp_path: Path) -> None:
    board = tree(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "48312\n",
            "proc/meminfo": "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  600 kB\n",
            "proc/uptime": "86400.55 100.0\n",
        },
    )
    assert board.name == "Raspberry Pi 4 Model B Rev 1.4"
    assert board.system is not None
    assert board.system.startswith("Debian GNU/Linux 12 (bookworm) (")
    assert board.cpu_celsius() == 48.312
    assert board.memory() == (600 * 1024, 1000 * 1024)
    assert board.uptime_s() == 86400


def test_a_pc_tells_its_firmware_s_name_and_the_processor_s_zone_of_several(tmp_path: Path) -> None:
    board = tree(
        tmp_path,
        {
            "sys/class/dmi/id/sys_vendor": "Beckhoff",
            "sys/class/dmi/id/product_name": "C6015",
            "sys/class/thermal/thermal_zone0/type": "acpitz",
            "sys/class/thermal/thermal_zone0/temp": "27800",
            "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp",
            "sys/class/thermal/thermal_zone1/temp": "61000",
            "sys/class/thermal/thermal_zone2/type": "broken",
            "sys/class/thermal/thermal_zone2/temp": "-274000",
        },
    )
    assert (board.name, board.cpu_celsius()) == ("Beckhoff C6015", 61.0)


def test_what_is_not_there_is_not_told(tmp_path: Path) -> None:
    board = Board(tmp_path)
    assert (board.name, board.cpu_celsius(), board.memory(), board.uptime_s()) == (
        None,
        None,
        (None, None),
        None,
    )
    assert card(tmp_path / "nowhere") == (None, None)


def test_it_is_told_each_minute_at_once_after_a_change_and_the_text_when_it_is_another(
    tmp_path: Path,
) -> None:
    now = [0.0]
    said: dict[str, object] = {"problems": (), "text": "a"}
    telling = Telling(
        tmp_path,
        lambda status: replace(status, **said),  # type: ignore[arg-type]
        board=Board(tmp_path),
        monotonic_s=lambda: now[0],
    )

    def after(seconds: float) -> GatewayStatus | None:
        now[0] += seconds
        return telling.due()

    first = after(0.0)
    assert first is not None
    assert first.text == "a"
    assert after(APART_S) is None
    assert after(EVERY_S - APART_S - 0.1) is None
    again = after(LOOK_S)
    assert again is not None
    assert again.text is None
    said["problems"] = ("source a fails",)
    assert after(APART_S - 0.1) is None
    assert after(LOOK_S) is not None
    said["text"], said["problems"] = "b", ()
    changed = after(APART_S)
    assert changed is not None
    assert changed.text == "b"
    said["answer_request"], said["answer"] = "request-1", "taken"
    assert after(LOOK_S) is not None  # somebody waits for it
    assert after(LOOK_S) is None
