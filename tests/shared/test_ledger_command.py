"""What `palier ledger` says below a line: why frames were given up, which lack, what went with an outbox."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from palier.historian.folder import DataFolder
from palier.historian.records import LedgerReceipt, Records, RecordsBatch
from palier.wire.messages import LedgerReport
from tests.house.test_commands import run
from tests.support.stores import frame_id

EDGE, OLD, YOUNG = "usine/gw-1", "0123456789abcdef", "fedcba9876543210"

FIELDS = {
    *(
        "edge",
        "epoch",
        "seq",
        "acquired",
        "stored",
        "quarantined",
        "dropped",
        "dropped_for",
        "pending",
        "lost",
    ),
    *("missing", "twice", "gaps", "adds_up", "replaced", "reported_ns", "unknown_since_ns"),
}


def told(folder: Path, *reports: LedgerReport, stored: int = 0) -> Path:
    """Records that hold the first so many frames of the old outbox, and these reports, a second apart."""
    with closing(Records(DataFolder(folder).create().records)) as records:
        now_ns = time.time_ns()
        receipts = [LedgerReceipt(EDGE, now_ns - (9 - k) * 10**9, report) for k, report in enumerate(reports)]
        frames = tuple(frame_id(k + 1, edge=EDGE, epoch=OLD) for k in range(stored))
        records.commit(RecordsBatch(stored=frames, ledgers=tuple(receipts)))
    return folder


def test_what_was_given_up_is_told_by_its_reason(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = LedgerReport(OLD, 1300, 1300, ((11, 1299, "cap"), (1300, 1300, "lost_by_card")), None, 0)
    code, out, _ = run(capsys, "ledger", "--data", str(told(tmp_path, report, stored=10)))
    assert code == 0
    first, second = out.splitlines()
    assert first.endswith("le compte est juste")
    assert second.strip().replace("\u202f", " ") == (
        "abandonnés\u00a0: file d'envoi pleine 1 289, perdus par la carte 1"
    )


def test_frames_that_are_missing_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = LedgerReport(OLD, 9, 9, (), None, 0)
    code, out, _ = run(capsys, "ledger", "--data", str(told(tmp_path, report, stored=4)))
    assert code == 1
    assert "acquittés et absents d'ici\u00a0: 5-9. Une sauvegarde plus ancienne" in out


def test_an_outbox_that_was_replaced_is_told_with_what_was_lost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old, young = LedgerReport(OLD, 9, 9, (), 5, 5), LedgerReport(YOUNG, 0, 0, (), None, 0)
    told(tmp_path, old, young, stored=4)
    code, out, _ = run(capsys, "ledger", "--data", str(tmp_path))
    assert code == 1
    assert "FILE D'ENVOI REMPLACÉE\u00a0: perdus avec elle\u00a0: 5" in out
    assert "le compte est juste" in out  # of the young one


def test_an_outbox_that_was_emptied_before_is_told_as_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old, young = LedgerReport(OLD, 4, 4, (), None, 0), LedgerReport(YOUNG, 0, 0, (), None, 0)
    code, out, _ = run(capsys, "ledger", "--data", str(told(tmp_path, old, young, stored=4)))
    assert code == 0
    assert "file d'envoi remplacée\u00a0: tout y était conservé" in out


def test_the_fields_of_its_json_stay(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = LedgerReport(OLD, 9, 9, ((6, 6, "disk"),), None, 0)
    _, out, _ = run(capsys, "ledger", "--data", str(told(tmp_path, report, stored=4)), "--json")
    line = json.loads(out)
    assert set(line) == FIELDS
    assert (line["dropped_for"], line["gaps"]) == ({"disk": 1}, [[5, 5], [7, 9]])
