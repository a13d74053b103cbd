"""The file of accounts and the command that changes it."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dashboards.console import account_book, user_command
from dashboards.console.account_book import LOGIN_FAILED, AccountBook, Entry, checked_name
from dashboards.console.account_file import AccountError, AccountFile
from dashboards.console.passwords import LONGEST, Passwords, flaw_of
from dashboards.console.roles import Role
from palier.cli import main
from tests.support.page_people import ENGINEER, PEOPLE, QUICK, TECHNICIAN, made_accounts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made_accounts(tmp_path / "deep" / "accounts.sqlite")


@pytest.fixture
def book(path: Path) -> Iterator[AccountBook]:
    with closing(AccountFile(path)) as file:
        yield AccountBook(file)


def test_the_file_and_its_folder_are_their_owners_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with closing(AccountFile(path)) as file:
        AccountBook(file).note(Entry(1, "login", "x"))
        modes = {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
        assert modes == {0o600}  # what SQLite keeps beside it too
    path.chmod(0o640)
    with pytest.raises(AccountError, match=f"0640: chmod 600 {path}"):
        AccountFile(path)


def test_another_file_is_not_taken_for_accounts(tmp_path: Path) -> None:
    with pytest.raises(AccountError, match="there are no accounts"):
        AccountFile(tmp_path / "none")
    with pytest.raises(AccountError, match="must be a file"):
        AccountFile(tmp_path)
    other = tmp_path / "other"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t(x)")
    other.chmod(0o600)
    with pytest.raises(AccountError, match="not a file of accounts"):
        AccountFile(other)
    with closing(sqlite3.connect(made_accounts(tmp_path / "a"))) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(AccountError, match="version 9"):
        AccountFile(tmp_path / "a")


def test_a_file_that_somebody_else_made_is_told_as_such(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrator called `palier user`, and the page runs as a user of its own."""
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(AccountError, match=r"writable.*chown.*`palier user` as that one"):
        AccountFile(path)


def test_a_file_that_is_there_is_not_made_anew(path: Path) -> None:
    AccountFile.create(path).close()
    with closing(AccountFile(path)) as file:
        assert len(AccountBook(file).all()) == len(PEOPLE)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_last_engineer_stays(book: AccountBook) -> None:
    for change in (
        lambda: book.remove(ENGINEER, by="t", now_s=1),
        lambda: book.set_role(ENGINEER, Role.VIEWER, by="t", now_s=1),
    ):
        with pytest.raises(AccountError, match="last engineer"):
            change()
    book.set_role(TECHNICIAN, Role.ENGINEER, by="t", now_s=1)
    book.remove(ENGINEER, by="t", now_s=2)
    assert {one.name for one in book.all() if one.role is Role.ENGINEER} == {TECHNICIAN}


def test_two_who_remove_the_last_two_engineers_at_once_leave_one(path: Path, book: AccountBook) -> None:
    book.set_role(TECHNICIAN, Role.ENGINEER, by="t", now_s=1)
    refused: list[str] = []

    def remove(name: str) -> None:
        with closing(AccountFile(path)) as file:
            try:
                AccountBook(file).remove(name, by="t", now_s=2)
            except AccountError:
                refused.append(name)

    threads = [threading.Thread(target=remove, args=(name,)) for name in (ENGINEER, TECHNICIAN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert sum(one.role is Role.ENGINEER for one in book.all()) == 1


@pytest.mark.parametrize("name", ["Hanane Élami", "h.alami", "عبد الله", "O’Brien", "poste_2", "x" * 64])
def test_names_of_people_are_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "..",
        "a/b",
        "../etc",
        "a\\b",
        "<b>x</b>",
        "a\nb",
        "a\x00b",
        "a\u202eb",
        "a\u3164",
        "a\ufe0f",
        "a\u200b",
        "a  b",
        " a",
        "x" * 65,
        "a;b",
    ],
)
def test_names_that_could_be_taken_for_something_else_are_refused(name: str) -> None:
    with pytest.raises(AccountError, match="1 to 64 letters"):
        checked_name(name)


def test_one_name_is_one_account_however_it_is_written(book: AccountBook) -> None:
    with pytest.raises(AccountError, match="already"):
        book.add("HANANE ÉLAMI", Role.VIEWER, "hash", by="t", now_s=1)


def test_the_journal_is_bounded_and_guesses_push_nothing_else_out(
    book: AccountBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_book, "MOST_FAILURES", 20)
    monkeypatch.setattr(account_book, "MOST_NOTED", 10)
    for n in range(60):
        book.note(Entry(n, LOGIN_FAILED, "", "192.0.2.7" * 50))
    for n in range(9):
        book.note(Entry(n, "logout", "x"))
    kept = [entry.what for entry in book.journal(1000)]
    assert kept.count(LOGIN_FAILED) == 20
    assert len(kept) == 30
    assert all(len(entry.address) <= 64 for entry in book.journal(1000))


@pytest.mark.parametrize(
    ("password", "flaw"),
    [
        ("onze lettre", "password_short"),
        ("douze lettres", None),
        ("la poulie chante le matin", None),
        ("مفتاح الآلة الكبيرة", None),
        ("123456789abc", None),
        ("aaaaaaaaaaaaaaaa", "password_monotonous"),
        ("121212121212", "password_monotonous"),
        ("Hanane Élami", "password_is_name"),
        ("hanane élamihanane élami", "password_is_name"),
        ("x1y2z" * LONGEST, "password_long"),
    ],
)
def test_length_counts_and_no_rule_asks_for_signs(password: str, flaw: str | None) -> None:
    assert flaw_of("Hanane Élami", password) == flaw


def test_a_password_is_the_same_from_every_keyboard() -> None:
    kept = QUICK.hashed("la clé de l'été")
    assert QUICK.fits(kept, "la cle\u0301 de l'e\u0301te\u0301")
    assert not QUICK.fits(kept, "la cle de l'ete")
    assert not QUICK.fits("not a hash", "x")
    assert Passwords().memory_kib == 19_456
    assert Passwords().decoy.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def palier(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["user", *arguments])
    return int(ended.value.code or 0)


def test_the_command_makes_changes_and_removes_accounts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.console.passwords.Passwords", lambda: QUICK)
    file, secret = str(tmp_path / "who.sqlite"), tmp_path / "secret"
    secret.write_text("la courroie chante\nsecond line\n")
    where = ("--accounts", file)
    assert palier("add", "Samir", "--role", "engineer", "--password-file", str(secret), *where) == 0
    monkeypatch.setenv("PALIER_CONSOLE_ACCOUNTS", file)
    monkeypatch.setattr("sys.stdin", io.StringIO("la poulie se tait\n"))
    assert palier("add", "Hanane Élami", "--role", "technician") == 0
    assert palier("role", "hanane élami", "--role", "viewer") == 0
    assert palier("password", "Hanane Élami", "--password-file", str(secret)) == 0
    capsys.readouterr()
    assert palier("list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["role"]) for one in told] == [("Samir", "engineer"), ("Hanane Élami", "viewer")]
    with closing(AccountFile(Path(file))) as opened:
        found = AccountBook(opened).password("Hanane Élami")
    assert found is not None
    assert QUICK.fits(found[1], "la courroie chante")
    assert palier("remove", "Hanane Élami") == 0
    assert palier("remove", "Samir") == 1
    assert palier("log") == 0
    out = capsys.readouterr()
    assert "last engineer" in out.err
    assert [line.split("  ")[1] for line in out.out.splitlines()[1:]] == [
        "account_added",
        "account_added",
        "role_changed",
        "password_changed",
        "account_removed",
    ]
    assert "palier user, " in out.out
    assert "courroie" not in out.out + out.err


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (("add", "x", "--role", "boss"), "--role must be one of viewer, technician, engineer", 2),
        (("add", "a/b", "--role", "viewer"), "1 to 64 letters", 1),
        (("add", "x", "--role", "viewer", "--password-file", "/nowhere"), "can't be read", 2),
        (("add", TECHNICIAN, "--role", "viewer"), "already", 2),
        (("password", "Nobody"), "no account 'Nobody'", 2),
        (("remove", "Nobody"), "no account 'Nobody'", 1),
    ],
)
def test_the_command_says_what_is_wrong(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str, code: int
) -> None:
    assert palier(*arguments, "--accounts", str(path)) == code
    assert sentence in capsys.readouterr().err


def test_a_password_that_is_too_short_is_not_taken(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("court\n"))
    assert palier("add", "x", "--role", "viewer", "--accounts", str(path)) == 2
    assert "at least 12 characters" in capsys.readouterr().err


def test_a_password_is_typed_twice_and_never_an_argument(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["la courroie chante", "la courroie se tait"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(user_command.CommandError, match="not the same"):
        user_command.add("x", "viewer", path)
    assert palier("add", "--help") == 0
    helps = capsys.readouterr().out
    assert "--password-file" in helps
    assert "--password " not in helps
