"""The configuration on the disk: whole after each power cut, and doubted where the card changed it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_agent.configured import (
    FILE_NAME,
    KEPT,
    LOCAL,
    MARK,
    TRIAL,
    Answer,
    ConfigurationFile,
    InForce,
    as_bytes,
    from_bytes,
)
from edge_agent.trial import Trial

OLD = InForce(3, "# été\n[[source]]\n", 3, KEPT, None, Answer("request-3", 3, "kept"))
NEW = InForce(4, '[[source]]\ntype = "replay"\n', 4, TRIAL, Trial(300.0, 1, ("a",), ("a", "b"), 2.0))


@pytest.mark.parametrize("in_force", [InForce(), OLD, NEW], ids=["agent.toml", "kept", "trial"])
def test_what_is_written_reads_back(in_force: InForce) -> None:
    assert from_bytes(as_bytes(in_force)) == in_force


class PowerCut(Exception):
    """The process is gone."""


def steps(folder: Path) -> list[str]:
    """The steps of a change, in their order."""
    file, met = ConfigurationFile(folder), []
    file.before_step = met.append
    file.begin(NEW, OLD)
    return met


def test_a_power_cut_at_any_step_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    met = steps(tmp_path / "count")
    assert len(met) == 6
    for number in range(len(met)):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = ConfigurationFile(folder)
        file.write(OLD)
        left = [number]

        def cut(_name: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut

        file.before_step = cut
        with pytest.raises(PowerCut):
            file.begin(NEW, OLD)
        after = ConfigurationFile(folder)
        assert after.read() == (NEW if number == 5 else OLD)
        assert not after.problem
        if after.read() == NEW:
            assert after.previous() == OLD


def test_a_file_that_the_card_changed_is_told_and_what_was_before_is_in_force(tmp_path: Path) -> None:
    file = ConfigurationFile(tmp_path)
    file.begin(NEW, OLD)
    path = tmp_path / "configuration.toml"
    path.write_bytes(path.read_bytes().replace(b"replay", b"repl\x00y"))
    again = ConfigurationFile(tmp_path)
    assert again.read() == OLD
    assert "is damaged: its checksum is not right" in again.problem


def test_a_file_that_was_taken_away_is_agent_toml_and_no_version_comes_twice(tmp_path: Path) -> None:
    file = ConfigurationFile(tmp_path)
    file.begin(NEW, OLD)
    (tmp_path / "configuration.toml").unlink()
    assert ConfigurationFile(tmp_path).read() == InForce(0, "", 3, LOCAL)
    assert ConfigurationFile(tmp_path / "nowhere").read() == InForce()


@pytest.mark.parametrize(
    "data", [b"", b"# palier configuration 1 0\n", as_bytes(NEW)[:-3], as_bytes(NEW) + b"x"]
)
def test_a_file_cut_short_or_grown_is_no_configuration(data: bytes) -> None:
    with pytest.raises(ValueError, match="its checksum is not right"):
        from_bytes(data)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b'"highest"', b'"at_most"'),
        (b'"trial": null', b'"trial": {"left_s": 1.0, "phase": 2}'),
        (b'"outcome"', b'"result"'),
        (b'"answer": {', b'"answer": 5, "since": {'),
    ],
)
def test_a_file_of_a_later_palier_does_not_end_an_agent_that_was_put_back(
    tmp_path: Path, was: bytes, now: bytes
) -> None:
    rest = as_bytes(OLD).partition(b"\n")[2].replace(was, now)
    (tmp_path / FILE_NAME).write_bytes(f"{MARK}{hashlib.sha256(rest).hexdigest()}\n".encode() + rest)
    file = ConfigurationFile(tmp_path)
    assert file.read() == InForce()
    assert "another version of Palier wrote it" in file.problem
