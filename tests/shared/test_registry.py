"""The registry: versions that never change, stages that follow from the journal, copies by rsync."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from palier.registry import JOURNAL, Note, Registry, RegistryError, Stage, parse_spec
from palier.registry_files import locked

FILES = {"manifest.json": b"{}", "arrays.npz": b"numbers"}


def note(why: str = "tried on a week", at: int = 1) -> Note:
    return Note("s.idrissi", why, at)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def added(registry: Registry, *, content: bytes = b"numbers", name: str = "baselines") -> int:
    files = {"manifest.json": b"{}", "arrays.npz": content}
    return registry.add(name, files, note(), kind="baselines").version


def stages(registry: Registry, name: str = "baselines") -> dict[int, str]:
    return {one.version: str(one.stage) for one in registry.line(name).versions}


def test_a_version_is_a_candidate_with_what_was_put_in_and_who_made_it(registry: Registry) -> None:
    one = registry.add("baselines", FILES, note("a year of it", 7), kind="baselines")
    assert (one.spec, one.stage, one.created) == ("baselines:1", Stage.CANDIDATE, note("a year of it", 7))
    assert registry.files("baselines", 1) == FILES
    assert registry.names() == ("baselines",)


def test_what_is_put_in_force_takes_the_place_of_what_was(registry: Registry) -> None:
    for k in range(3):
        added(registry, content=b"%d" % k)
    registry.promote("baselines", 1, note(), forced=True)
    registry.shadow("baselines", 2, note())
    assert registry.add("baselines", FILES, note(), kind="baselines").parent == 1
    registry.promote("baselines", 2, note(), forced=True)
    assert stages(registry) == {1: "retired", 2: "in force", 3: "candidate", 4: "candidate"}
    registry.shadow("baselines", 3, note())
    registry.shadow("baselines", 4, note())
    assert stages(registry)[3] == "candidate"


def test_a_rollback_goes_back_through_what_was_and_at_last_to_nothing(registry: Registry) -> None:
    for k in (1, 2, 3):
        added(registry, content=b"%d" % k)
        registry.promote("baselines", k, note(), forced=True)
    seen = []
    for _ in range(3):
        back = registry.rollback("baselines", note("it called twice for nothing"))
        seen.append(back.version if back else None)
    assert seen == [2, 1, None]
    assert registry.line("baselines").in_force is None
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.rollback("baselines", note())


def test_a_rollback_may_name_its_version_and_the_next_goes_on_from_there(registry: Registry) -> None:
    for k in (1, 2, 3):
        added(registry, content=b"%d" % k)
        registry.promote("baselines", k, note(), forced=True)
    registry.rollback("baselines", note(), to=1)
    assert stages(registry) == {1: "in force", 2: "retired", 3: "retired"}
    assert registry.rollback("baselines", note()) is None


def test_a_promotion_needs_the_replay_of_just_these_files(registry: Registry) -> None:
    added(registry)
    with pytest.raises(RegistryError, match="palier model replay baselines:1"):
        registry.promote("baselines", 1, note())
    with pytest.raises(RegistryError, match="add --why"):
        registry.promote("baselines", 1, note(" "), forced=True)
    fingerprint = registry.attach_report("baselines", 1, {"false": 2}, note())
    assert registry.report("baselines", 1) == {"false": 2}
    registry.promote("baselines", 1, note())
    last = registry.line("baselines").entries[-1]
    assert (last.report, last.forced, last.note.who) == (fingerprint, False, "s.idrissi")


def test_a_report_that_was_changed_does_not_promote(registry: Registry) -> None:
    added(registry)
    registry.attach_report("baselines", 1, {"false": 2}, note())
    (path,) = (registry.path / "baselines" / "reports").iterdir()
    path.write_text(path.read_text().replace("2", "0"))
    with pytest.raises(RegistryError, match=r"was changed, or is of another model: run `palier model replay"):
        registry.promote("baselines", 1, note())
    path.unlink()
    with pytest.raises(RegistryError, match="can't be read"):
        registry.promote("baselines", 1, note())


def test_numbers_are_never_given_twice_also_where_a_training_ended_in_the_middle(registry: Registry) -> None:
    added(registry)
    orphan = registry.path / "baselines" / "2"
    shutil.copytree(registry.path / "baselines" / "1", orphan)
    assert added(registry) == 3
    assert any(str(orphan) in str(problem) for problem in registry.line("baselines").problems)


def test_a_version_that_is_not_there_yet_is_said_so_and_is_not_put_in_force(registry: Registry) -> None:
    added(registry)
    (registry.path / "baselines" / "1").chmod(0o755)
    (registry.path / "baselines" / "1" / "arrays.npz").unlink()
    (problem,) = registry.line("baselines").problems
    assert "baselines:1 (candidate) is not whole: arrays.npz not there yet" in str(problem)
    with pytest.raises(RegistryError, match="wait until the registry is synchronised") as caught:
        registry.promote("baselines", 1, note(), forced=True)
    assert caught.value.key == "not_there_yet"
    assert stages(registry) == {1: "candidate"}


def test_a_changed_file_is_not_read(registry: Registry) -> None:
    added(registry)
    path = registry.path / "baselines" / "1" / "arrays.npz"
    path.chmod(0o644)
    path.write_bytes(b"numberz")
    with pytest.raises(RegistryError, match="is not what was added") as caught:
        registry.files("baselines", 1)
    assert caught.value.key == "damaged"


def test_a_huge_file_is_not_read(registry: Registry) -> None:
    added(registry)
    path = registry.path / "baselines" / "1" / "arrays.npz"
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(10**11)  # sparse: it takes no room
    with pytest.raises(RegistryError, match="at most") as caught:
        registry.files("baselines", 1)
    assert caught.value.key == "too_large"


def test_only_the_files_of_a_model_are_taken_and_read(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="must be made of"):
        registry.add("baselines", {**FILES, "model.pkl": b"x"}, note(), kind="baselines")
    added(registry)
    journal = registry.path / "baselines" / JOURNAL
    journal.write_text(journal.read_text().replace("arrays.npz", "model.pkl"))
    with pytest.raises(RegistryError, match="nothing else is read"):
        registry.files("baselines", 1)


def test_a_name_is_of_one_kind(registry: Registry) -> None:
    added(registry)
    with pytest.raises(RegistryError, match="name of its own"):
        registry.add("baselines", FILES, note(), kind="detector")


def test_two_changes_at_once_are_one_and_a_sentence(registry: Registry) -> None:
    added(registry)
    with locked(registry.path), pytest.raises(RegistryError, match="just now") as caught:
        registry.promote("baselines", 1, note(), forced=True)
    assert caught.value.key == "locked"
    registry.promote("baselines", 1, note(), forced=True)
    with pytest.raises(RegistryError, match="in force already"):
        registry.promote("baselines", 1, note(), forced=True)


def test_a_line_that_is_half_written_is_not_there_and_the_next_takes_its_place(registry: Registry) -> None:
    added(registry)
    journal = registry.path / "baselines" / JOURNAL
    with journal.open("a") as file:
        file.write('{"n":2,"act":"promo')
    assert stages(registry) == {1: "candidate"}
    registry.promote("baselines", 1, note(), forced=True)
    assert stages(registry) == {1: "in force"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [lines[0].replace("trained", "tr\x00ained"), lines[1]],
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[1].replace('"version":1', '"version":9')],
    ],
    ids=["unreadable", "a line is missing", "of a version that never was"],
)
def test_a_damaged_journal_is_refused(registry: Registry, damage) -> None:  # type: ignore[no-untyped-def]
    added(registry)
    registry.promote("baselines", 1, note(), forced=True)
    journal = registry.path / "baselines" / JOURNAL
    journal.write_text("".join(damage(journal.read_text().splitlines(keepends=True))))
    with pytest.raises(RegistryError, match=r"copy journal\.jsonl again") as caught:
        registry.line("baselines")
    assert caught.value.key == "journal_damaged"


def test_a_copy_is_the_same_registry_and_a_stamp_tells_of_any_change(
    registry: Registry, tmp_path: Path
) -> None:
    added(registry)
    stamp = registry.stamp()
    registry.promote("baselines", 1, note(), forced=True)
    assert registry.stamp() != stamp
    copy = Registry(Path(shutil.copytree(registry.path, tmp_path / "elsewhere")))
    assert copy.line("baselines") == registry.line("baselines")


def test_the_same_files_have_the_same_fingerprint_and_others_another(registry: Registry) -> None:
    numbers = [added(registry, content=content) for content in (b"a", b"a", b"b")]
    first, again, other = (registry.line("baselines").version(n).fingerprint for n in numbers)
    assert first == again != other


def test_a_registry_that_is_not_there_and_a_name_that_is_not(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="`palier train` makes one"):
        registry.names()
    added(registry)
    with pytest.raises(RegistryError, match="it has baselines"):
        registry.line("bassline")
    with pytest.raises(RegistryError, match="no version 7; it has 1"):
        registry.resolve("baselines:7")
    assert registry.resolve("baselines").version == 1


@pytest.mark.parametrize("text", ["", "a b", "../x", "x:0", "x:-1", "x:y", "x:1:2"])
def test_what_is_no_name_of_a_model(text: str) -> None:
    with pytest.raises(RegistryError, match="NAME or NAME:VERSION"):
        parse_spec(text)


def test_what_the_journal_says_of_a_promotion_can_be_read_by_people(registry: Registry) -> None:
    added(registry)
    registry.promote("baselines", 1, note("the old ones called for nothing", 5), forced=True)
    told = json.loads((registry.path / "baselines" / JOURNAL).read_text().splitlines()[-1])
    assert told == {
        "n": 2, "act": "promoted", "version": 1, "at_ns": 5, "who": "s.idrissi",
        "why": "the old ones called for nothing", "from": "candidate", "to": "in force", "forced": True,
    }  # fmt: skip
