"""The set-up of a 2.x, against a stub of what it asks for: no 2.x server was at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from palier.commands.historian import historian
from palier.historian.base import Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.schema import LONG_RUN_DAYS, RAW_DAYS
from tests.support.influx_v2_stub import ADMIN_TOKEN, InfluxV2Stub, running_v2_stub
from tests.support.stores import readings

DAY_S = 86_400


@pytest.fixture
def stub() -> Iterator[InfluxV2Stub]:
    with running_v2_stub() as server:
        yield server


def set_up(stub: InfluxV2Stub, folder: Path, *more: str, token: str = ADMIN_TOKEN) -> tuple[int, str]:
    (folder / "admin").write_text(token)
    done = CliRunner().invoke(
        historian,
        [
            *("setup", "--url", stub.url, f"--admin-token-file={folder / 'admin'}"),
            *(f"--writer-token-file={folder / 'writer'}", f"--reader-token-file={folder / 'reader'}"),
            *more,
        ],
    )
    return done.exit_code, f"{done.output}{done.exception or ''}"


def test_buckets_keep_what_they_must_and_tokens_can_no_more(stub: InfluxV2Stub, tmp_path: Path) -> None:
    code, said = set_up(stub, tmp_path)
    assert code == 0, said
    kept = {name: bucket["retentionRules"][0]["everySeconds"] for name, bucket in stub.buckets.items()}
    assert kept == {"palier": RAW_DAYS * DAY_S, "palier_hourly": LONG_RUN_DAYS * DAY_S}
    writer, reader = ((tmp_path / name).read_text() for name in ("writer", "reader"))
    both = {"palier", "palier_hourly"}
    assert stub.tokens[writer] == {f"{may}:{name}" for may in ("read", "write") for name in both}
    assert stub.tokens[reader] == {f"read:{name}" for name in both}
    assert (tmp_path / "writer").stat().st_mode & 0o777 == 0o600
    assert writer not in said
    assert reader not in said


def test_a_second_time_keeps_the_tokens_and_a_lost_one_is_made_anew(
    stub: InfluxV2Stub, tmp_path: Path
) -> None:
    set_up(stub, tmp_path)
    before = (tmp_path / "writer").read_text(), (tmp_path / "reader").read_text()
    set_up(stub, tmp_path)
    assert ((tmp_path / "writer").read_text(), (tmp_path / "reader").read_text()) == before
    (tmp_path / "reader").unlink()
    set_up(stub, tmp_path)
    assert (tmp_path / "writer").read_text() == before[0]
    assert (tmp_path / "reader").read_text() != before[1]


@pytest.mark.parametrize(
    ("more", "token", "sentence"),
    [
        (("--org", "autre"), ADMIN_TOKEN, "has no organisation 'autre'"),
        ((), "wrong", "the token must be an administrator's"),
    ],
)
def test_what_is_wrong_is_said(
    stub: InfluxV2Stub, tmp_path: Path, more: tuple[str, ...], token: str, sentence: str
) -> None:
    code, said = set_up(stub, tmp_path, *more, token=token)
    assert code == 1
    assert sentence in said


def test_the_historian_speaks_to_it_by_token(stub: InfluxV2Stub, tmp_path: Path) -> None:
    set_up(stub, tmp_path)
    reader = InfluxHistorian(Server(stub.url, Account(token=(tmp_path / "reader").read_text())))
    assert reader.sites() == ()
    with pytest.raises(Unavailable, match="refuses this account"):
        reader.write([readings([4 * 10**18], [1.0])])
    reader.close()
    writer = InfluxHistorian(Server(stub.url, Account(token=(tmp_path / "writer").read_text()), org="palier"))
    assert writer.write([readings([4 * 10**18], [1.0])])[0].accepted == 1
    writer.close()


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(ADMIN_TOKEN)
    files = [f"--{who}-token-file={tmp_path / who}" for who in ("admin", "writer", "reader")]
    done = CliRunner().invoke(historian, ["setup", "--url", "http://127.0.0.1:9", *files])
    assert "http://127.0.0.1:9 does not answer" in f"{done.output}{done.exception or ''}"


def test_a_token_for_one_bucket_alone_is_made_anew(stub: InfluxV2Stub, tmp_path: Path) -> None:
    set_up(stub, tmp_path)
    before = (tmp_path / "reader").read_text()
    stub.tokens[before] = {"read:palier"}
    set_up(stub, tmp_path)
    assert (tmp_path / "reader").read_text() != before
