"""What people read of an alarm."""

from __future__ import annotations

from palier.alarm_text import measured_line, measured_lines
from palier.alarms import Alarm, AlarmKey, Cause, Level, Mode
from palier.locale import Catalogue


def test_a_ratio_is_told_without_a_unit() -> None:
    """Of dimensionless features the catalogue's unit is "1": "1,00 1" would be read as another number."""
    cause = Cause("bpfo_modulation", 1.0, "1", alert=0.24, level=Level.ALERT)
    assert measured_line(cause, Catalogue("fr")).endswith(": 1,00 (limite 0,24)")


def test_a_level_is_told_with_its_unit() -> None:
    cause = Cause("velocity_rms_mm_s", 5.0, "mm/s", alert=4.5, level=Level.ALERT)
    assert measured_line(cause, Catalogue("fr")).endswith("5,00\u00a0mm/s (limite 4,50\u00a0mm/s)")


def shown(*values: float) -> list[str]:
    """What is told of a velocity of each value, with the limits 6.1 and 9.5 mm/s, in a danger."""
    causes = tuple(
        Cause("velocity_rms_mm_s", x, "mm/s", 6.1, 9.5, level=Level.DANGER, channel=f"C{i}")
        for i, x in enumerate(values)
    )
    return measured_lines(Alarm(AlarmKey("s", "P-101", "1", Mode.VIBRATION), causes=causes), Catalogue("fr"))


def test_what_is_below_its_limit_is_no_cause() -> None:
    (only,) = shown(11.0, 5.0)
    assert only.endswith(": 11,0\u00a0mm/s (limite 9,50\u00a0mm/s)")


def test_a_value_between_two_limits_is_told_with_the_one_it_exceeds() -> None:
    (only,) = shown(8.24)
    assert only.endswith(": 8,24\u00a0mm/s (limite 6,10\u00a0mm/s)")


def test_where_all_is_below_the_first_is_told_as_such() -> None:
    (only,) = shown(5.8, 5.0)
    assert only.endswith(": 5,80\u00a0mm/s, de nouveau sous la limite 6,10\u00a0mm/s")


def test_a_value_without_a_limit_keeps_its_unit() -> None:
    cause = Cause("velocity_rms_mm_s", 5.0, "mm/s")
    assert measured_line(cause, Catalogue("fr")).endswith("5,00\u00a0mm/s")
    assert measured_line(Cause("frames_missing", 3.0, level=Level.ALERT), Catalogue("fr")).endswith(": 3")
