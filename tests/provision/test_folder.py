"""Making a folder: what is missing is made, what is there is left."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from palier.provision import certificates
from palier.provision.changes import Change, Did
from palier.provision.checking import Verdict
from palier.provision.files import Folder, ProvisionError
from palier.provision.layout import GATEWAY_FILES, SECRET_FILES
from palier.provision.making import Wanted, provision
from palier.provision.site import expected_files
from tests.support.provision_folder import NOW, WANTED, amiss, content, make

KEPT = (
    *("authority/ca.key", "ca.crt", "broker/server.key", "broker/server.crt", "broker/passwords"),
    *SECRET_FILES,
    "gateways/gw-1/password",
)


def test_the_folder_holds_what_the_layout_names_and_nothing_else(made: Path) -> None:
    assert set(content(made)) == set(expected_files(("gw-1", "gw-2")))
    assert {file.name for file in (made / "gateways" / "gw-1").iterdir()} == set(GATEWAY_FILES)
    assert amiss(made) == {}


def test_only_the_owner_may_use_any_of_it(made: Path) -> None:
    for path in (made, *made.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_nothing_stood_open_before_it_was_closed(tmp_path: Path) -> None:
    assert {change.did for change in provision(tmp_path / "made", WANTED, NOW).changes} == {Did.MADE}


def test_a_folder_that_stood_open_is_closed_before_the_first_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    folder.chmod(0o777)
    seen: set[int] = set()
    write = Folder.write

    def look(self: Folder, name: str, content: bytes) -> None:
        seen.add(stat.S_IMODE(folder.stat().st_mode))
        write(self, name, content)

    monkeypatch.setattr(Folder, "write", look)
    assert Change(".", Did.CLOSED) in provision(folder, WANTED, NOW).changes
    assert seen == {0o700}


def test_rights_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        test_only_the_owner_may_use_any_of_it(make(tmp_path / "open"))
    finally:
        os.umask(before)


def test_secrets_are_random_and_each_its_own(made: Path) -> None:
    names = [name for name in SECRET_FILES if not name.endswith("_user")]
    names += ["gateways/gw-1/password", "gateways/gw-2/password"]
    secrets = {(made / name).read_text() for name in names}
    assert len(secrets) == len(names)
    assert all(len(bytes.fromhex(secret)) == 32 for secret in secrets)


def test_a_second_run_changes_nothing(made: Path) -> None:
    before = content(made)
    outcome = provision(made, WANTED, NOW + timedelta(days=1))
    assert (outcome.changes, outcome.advice) == ((), ())
    assert content(made) == before


def test_a_later_run_needs_no_options_and_keeps_names_and_gateways(made: Path) -> None:
    assert provision(made, Wanted(), NOW).changes == ()


def test_a_file_that_is_missing_is_told_and_made_and_the_others_stay(made: Path) -> None:
    for name in expected_files(("gw-1", "gw-2")):
        if name in ("provision.json", "authority/ca.key", "authority/configuration.key"):
            continue  # see below
        before = content(made)
        (made / name).unlink()
        assert {file: finding.verdict for file, finding in amiss(made).items()} == {name: Verdict.MISSING}
        provision(made, WANTED, NOW)
        assert amiss(made) == {}
        changed = {file for file, was in content(made).items() if before[file] != was}
        assert changed <= {name} | _follows(name), name


def _follows(name: str) -> set[str]:
    """What must change with a file that is made anew."""
    if name == "broker/server.key":
        return {"broker/server.crt"}
    if name == "secrets/mqtt_health_password":
        return {"broker/passwords", "broker/mosquitto_sub"}
    return {"broker/passwords"} if "password" in name else set()


def test_the_authority_is_taken_from_its_copy(made: Path) -> None:
    before = content(made)
    (made / "ca.crt").unlink()
    provision(made, WANTED, NOW)
    assert content(made) == before


def test_the_authority_s_key_may_be_kept_elsewhere(made: Path) -> None:
    (made / "authority/ca.key").unlink()
    assert amiss(made) == {}
    assert provision(made, WANTED, NOW).changes == ()


def test_a_lost_manifest_is_told_and_not_guessed(made: Path) -> None:
    (made / "provision.json").unlink()
    assert "restore it, or write" in amiss(made)["provision.json"].text
    with pytest.raises(ProvisionError, match="or restore that file"):
        provision(made, WANTED, NOW)


def test_stopped_at_any_write_it_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, made, runs = Folder.write, tmp_path / "made", 0

    def stopping(folder: Folder, name: str, data: bytes) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        write(folder, name, data)

    monkeypatch.setattr(Folder, "write", stopping)
    while True:
        left, runs = 1, runs + 1
        before = content(made) if made.exists() else {}
        try:
            provision(made, WANTED, NOW)
        except KeyboardInterrupt:
            assert content(made).items() >= before.items()
            continue
        break
    assert runs > 20
    assert amiss(made) == {}


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(28, "No space left on device")
        fsync(handle)

    made = tmp_path / "made"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ProvisionError, match=r"json can't be written: No space left on device"):
            provision(made, WANTED, NOW)
    assert content(made) == {}
    provision(made, WANTED, NOW)
    assert amiss(made) == {}


def test_another_gateway_and_another_host_are_added(made: Path) -> None:
    before = content(made)
    outcome = provision(made, Wanted(gateways=("gw-3",), hosts=("10.0.0.5",), host_id="other"), NOW)
    after = content(made)
    assert outcome.gateways == ("gw-1", "gw-2", "gw-3")
    names = certificates.facts(after["broker/server.crt"]).names
    assert names == ("broker.example.org", "10.0.0.5", "localhost", "127.0.0.1", "broker")
    assert after["broker/passwords"].startswith(b"".join(before["broker/passwords"].splitlines(True)[:2]))
    assert b"topic read spBv1.0/STATE/other" in after["broker/acl"]
    kept = [name for name in KEPT if name not in ("broker/server.crt", "broker/passwords")]
    assert all(after[name] == before[name] for name in kept)
    assert amiss(made) == {}


def test_a_gateway_s_folder_that_is_removed_withdraws_its_account(made: Path) -> None:
    for file in (made / "gateways" / "gw-2").iterdir():
        file.unlink()
    (made / "gateways" / "gw-2").rmdir()
    told = amiss(made)
    assert told["gateways/gw-2"].bad
    assert "to withdraw it" in told["gateways/gw-2"].text
    provision(made, Wanted(), NOW)
    assert b"gw-2" not in (made / "broker/passwords").read_bytes() + (made / "broker/acl").read_bytes()


def test_the_server_s_certificate_is_renewed_with_its_key(made: Path) -> None:
    before = content(made)
    outcome = provision(made, Wanted(renew=("server",), days=100), NOW + timedelta(days=800))
    assert outcome.changes == (Change("broker/server.crt", Did.RENEWED),)
    assert "SIGHUP" in outcome.advice[0]
    after = content(made)
    assert after["broker/server.key"] == before["broker/server.key"]
    told = certificates.facts(after["broker/server.crt"])
    assert told.not_after == NOW + timedelta(days=900)
    assert told.names == certificates.facts(before["broker/server.crt"]).names


def test_the_authority_is_renewed_everywhere_and_what_it_issued_holds(made: Path) -> None:
    before = content(made)
    outcome = provision(made, Wanted(renew=("authority",)), NOW + timedelta(days=10))
    after = content(made)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"ca.crt", "broker/ca.crt", "gateways/gw-1/ca.crt", "gateways/gw-2/ca.crt"}
    assert certificates.issued_by(after["broker/server.crt"], after["ca.crt"])
    assert any("every gateway" in advice for advice in outcome.advice)


def test_a_lost_authority_is_replaced_when_nothing_is_left_of_it(made: Path) -> None:
    before = content(made)
    for name in ("ca.crt", "broker/ca.crt", "authority/ca.key"):
        (made / name).unlink()
    provision(made, Wanted(), NOW)
    after = content(made)
    assert not certificates.issued_by(before["broker/server.crt"], after["ca.crt"])
    assert certificates.issued_by(after["broker/server.crt"], after["ca.crt"])
    assert after["broker/server.key"] == before["broker/server.key"]
    assert amiss(made) == {}


def test_nothing_is_issued_without_the_authority_s_key(made: Path) -> None:
    key = (made / "authority/ca.key").read_bytes()
    (made / "authority/ca.key").unlink()
    for renew in ("server", "authority"):
        with pytest.raises(ProvisionError, match="put it back from where it is kept"):
            provision(made, Wanted(renew=(renew,)), NOW)
    (made / "authority/ca.key").write_bytes(certificates.new_key())
    assert amiss(made)["authority/ca.key"].bad
    with pytest.raises(ProvisionError, match=r"is not the key of ca\.crt"):
        provision(made, Wanted(renew=("server",)), NOW)
    (made / "authority/ca.key").write_bytes(key)
    provision(made, Wanted(renew=("server",)), NOW)
    assert set(amiss(made)) == set()


def test_a_secret_of_one_s_own_is_kept(made: Path) -> None:
    (made / "secrets/mqtt_operator_password").write_text("chosen by a person\n")
    provision(made, Wanted(), NOW)
    assert (made / "secrets/mqtt_operator_password").read_text() == "chosen by a person\n"
    assert amiss(made) == {}
