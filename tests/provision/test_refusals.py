"""What can not be made: hostile names, folders of others, damaged or locked ones, missing rights."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from palier.provision.checking import check
from palier.provision.files import ProvisionError
from palier.provision.making import Wanted, provision
from tests.support.provision_folder import NOW, WANTED, amiss, content


@pytest.mark.parametrize(
    "node",
    ["", ".", "..", "a/b", "../x", "a b", "+", "#", "é", "x" * 65, "a\nuser root", "a:b", "ingest", "health"],
)
def test_a_hostile_gateway_is_refused_before_anything_ismake(tmp_path: Path, node: str) -> None:
    with pytest.raises(ProvisionError, match="a gateway must") as caught:
        provision(tmp_path / "made", Wanted(site="usine", gateways=("gw-1", node)), NOW)
    assert caught.value.usage
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Wanted(site="usine", hosts=("a b",)), "a host must be"),
        (Wanted(site="usine", host_id="a/b"), "the host id must be"),
        (Wanted(site="usine", days=0), "valid for 1 to 3650 days, got 0"),
        (Wanted(site="usine", renew=("password",)), "one can renew server or authority, got 'password'"),
        (Wanted(), "name the plant with --plant"),
    ],
)
def test_what_can_t_be_wanted_is_refused_before_anything_ismake(
    tmp_path: Path, wanted: Wanted, sentence: str
) -> None:
    with pytest.raises(ProvisionError, match=sentence):
        provision(tmp_path / "made", wanted, NOW)
    assert not (tmp_path / "made").exists()


def test_a_stranger_s_folder_among_the_gateways_is_told(made: Path) -> None:
    (made / "gateways" / "a b").mkdir()
    with pytest.raises(ProvisionError, match="must not be there: a gateway must be called"):
        check(made, NOW)


def test_another_site_s_folder_is_refused(made: Path) -> None:
    with pytest.raises(ProvisionError, match="is of site 'usine' and the plant's is 'autre'"):
        provision(made, Wanted(site="autre"), NOW)
    assert amiss(made, site="autre")["provision.json"].bad
    assert amiss(made, site="usine") == {}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"site": "usine"}', '{"version": 2, "site": "a", "host_id": "b"}'),
        '{"version": 1, "site": "a/b", "host_id": "palier"}',
    ],
)
def test_a_damaged_manifest_is_told(made: Path, text: str) -> None:
    (made / "provision.json").write_text(text)
    for look in (lambda: check(made, NOW), lambda: provision(made, WANTED, NOW)):
        with pytest.raises(ProvisionError, match=r"is not what `palier prov|version 2 of the"):
            look()


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    before = tmp_path.stat().st_mode
    with pytest.raises(ProvisionError, match="holds other things"):
        provision(tmp_path, WANTED, NOW)
    assert tmp_path.stat().st_mode == before
    assert set(content(tmp_path)) == {"letters.txt"}


def test_a_folder_that_can_t_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match=r"there is no folder .*/none, make it first"):
        provision(tmp_path / "none" / "made", WANTED, NOW)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "made"):
        with pytest.raises(ProvisionError, match="must be a folder, and is something else"):
            provision(path, WANTED, NOW)
    with pytest.raises(ProvisionError, match=r"there is no folder .*/none: make it with"):
        check(tmp_path / "none", NOW)


def test_two_runs_at_once_are_refused(made: Path) -> None:
    handle = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ProvisionError, match="another `palier provision` is at work"):
            provision(made, WANTED, NOW)
    finally:
        os.close(handle)


@contextmanager
def without_rights() -> Iterator[Path]:
    """A folder in which this process may not write for the length of the block, root or not."""
    with tempfile.TemporaryDirectory() as name:
        path, root = Path(name), os.geteuid() == 0
        path.chmod(0o555)
        if root:
            os.seteuid(65534)
        try:
            yield path
        finally:
            if root:
                os.seteuid(0)
            path.chmod(0o700)


def test_a_folder_without_rights_is_told() -> None:
    with (
        without_rights() as path,
        pytest.raises(ProvisionError, match="can't be used: Permission denied"),
    ):
        provision(path / "made", WANTED, NOW)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user's folder: run as root")
def test_another_user_s_folder_is_refused() -> None:
    with (
        without_rights() as path,
        pytest.raises(ProvisionError, match="to user 0, and this is user 65534"),
    ):
        provision(path, WANTED, NOW)
