"""How `palier grafana push` and `build` are called: what is refused at once, and the files."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from dashboards.grafana.push_request import InfluxAccess, read_secret
from palier.options import CommandError
from palier.plant import sample_plant_path
from tests.support.grafana_push import run

HTTPS = ("push", "--url", "https://grafana.plant")


@pytest.fixture
def token(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text("glsa_x\n")
    return str(file)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("grafana.plant", "must be like https://host:3000"),
        ("ftp://grafana.plant", "must be like"),
        ("https://", "must be like"),
        ("https://grafana:99999", "must be like"),
        ("https://graf ana", "must be like"),
        ("https://admin:geheim@grafana.plant", "must not hold an account"),
        ("https://grafana.plant/?orgId=2", r"must end before \?"),
        ("http://grafana.plant", "anybody between can read the token"),
    ],
)
def test_an_address_that_can_not_be_used(url: str, sentence: str, token: str) -> None:
    ran = run("push", "--url", url, "--token-file", token)
    assert ran.code == 2
    assert "geheim" not in ran.err
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(ran.err)


def test_a_token_is_asked_for() -> None:
    ran = run(*HTTPS)
    assert ran.code == 2
    assert "--token-file FILE is missing, or the variable PALIER_GRAFANA_TOKEN" in ran.err


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"geheim\nzwei", "more than one line"),
        ("gehéim".encode(), "more than one line of plain characters"),
        (b"\xff", "is not text"),
    ],
)
def test_a_secret_file_is_one_line_and_is_never_shown(tmp_path: Path, data: bytes, sentence: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(data)
    with pytest.raises(CommandError, match=sentence) as caught:
        read_secret(file, "--token-file")
    assert "geh" not in str(caught.value)


def test_a_secret_file_that_is_not_there(tmp_path: Path) -> None:
    ran = run(*HTTPS, "--token-file", str(tmp_path / "none"))
    assert ran.code == 2
    assert "No such file" in ran.err


def test_the_token_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_GRAFANA_TOKEN", "glsa_env")
    assert read_secret(None, "--token-file", "PALIER_GRAFANA_TOKEN").get_secret_value() == "glsa_env"


def test_an_authority_must_hold_a_certificate(tmp_path: Path, token: str) -> None:
    file = tmp_path / "ca.pem"
    ran = run(*HTTPS, "--token-file", token, "--ca", str(file))
    assert "No such file" in ran.err
    file.write_text("hello")
    ran = run(*HTTPS, "--token-file", token, "--ca", str(file))
    assert ran.code == 2
    assert "it holds no certificate" in ran.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--reader-user", "u"], "need --influx-url"),
        (["--influx-url", "http://i:8086"], "need either --reader-user"),
        (["--influx-url", "http://i:8086", "--reader-user", "u"], "need either --reader-user"),
        (
            ["--influx-url", "http://i:8086", "--reader-user", "u", "--reader-token-file", "TOKEN"],
            "and not both",
        ),
        (["--influx-url", "http://u:p@i", "--reader-token-file", "TOKEN"], "--influx-url must not hold"),
        (
            ["--influx-url", "http://i", "--reader-token-file", "TOKEN", "--database", 'a"b'],
            "--database must be letters",
        ),
        (["--lang", "ar"], "--lang must be one of fr, en"),
        (["--folder", " "], "--folder must have a title"),
    ],
)
def test_options_that_do_not_fit(options: list[str], sentence: str, token: str) -> None:
    ran = run(*HTTPS, "--token-file", token, *(token if o == "TOKEN" else o for o in options))
    assert ran.code == 2
    assert sentence in ran.err


def test_secrets_of_the_data_sources_are_masked(tmp_path: Path, token: str) -> None:
    access = InfluxAccess.of(
        "http://i:8086", database="palier", user=None, password_file=None, token_file=Path(token), ca=None
    )
    assert access is not None
    assert access.secrets()["httpHeaderValue1"].get_secret_value() == "Token glsa_x"
    assert "glsa_x" not in f"{access} {access.secrets()} {access.data_sources()}"


def test_dashboards_that_are_not_there_or_not_classic(tmp_path: Path, token: str) -> None:
    call = (*HTTPS, "--token-file", token, "--dashboards", str(tmp_path))
    ran = run(*call)
    assert ran.code == 1
    assert "palier grafana build" in ran.err
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / "a.json").write_text('{"apiVersion": "dashboard.grafana.app/v2"}')
    ran = run(*call)
    assert ran.code == 1
    assert "a.json can't be pushed: it must be a dashboard in classic JSON" in ran.err


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files a language in place of the dashboards, which take longer to build."""

    def build(lang: str, **given: Any) -> dict[str, bytes]:
        told = [lang, given.get("console_url", ""), *sorted(given.get("limits", ()))]
        return {"a.json": ",".join(told).strip(",").encode(), "b.json": b"{}"}

    module = types.ModuleType("dashboards.grafana.build")
    module.build = build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dashboards.grafana.build", module)


@pytest.mark.usefixtures("built")
def test_build_writes_a_folder_for_each_language_and_check_finds_what_differs(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "new"))
    assert run("build", "--check", *out).code == 1
    assert run("build", *out).code == 0
    assert (tmp_path / "new" / "en" / "a.json").read_bytes() == b"en"
    ran = run("build", "--check", *out)
    assert (ran.code, ran.out) == (0, "")
    (tmp_path / "new" / "fr" / "a.json").write_text("other")
    (tmp_path / "new" / "fr" / "b.json").unlink()
    (tmp_path / "new" / "fr" / "old.json").write_text("{}")
    ran = run("build", "--check", *out)
    assert ran.code == 1
    assert "a.json differs from what is built" in ran.out
    assert "b.json is missing" in ran.out
    assert "old.json is no longer built: delete it" in ran.out
    assert run("build", "--check", "--lang", "en", *out).code == 0


@pytest.mark.usefixtures("built")
def test_build_takes_a_plants_limits_and_the_address_of_its_page(tmp_path: Path) -> None:
    out = tmp_path / "new"
    plant = ("--plant", str(sample_plant_path()))
    page = ("--console-url", "https://page.plant/")
    assert run("build", "--lang", "fr", "--out", str(out), *plant, *page).code == 0
    told = (out / "fr" / "a.json").read_text()
    assert told.startswith("fr,https://page.plant,")
    assert "iso20816-3:g1:rigid" in told


@pytest.mark.usefixtures("built")
def test_build_says_where_it_can_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run("build", "--out", str(tmp_path / "file"))
    assert ran.code == 1
    assert "can't be written" in ran.err


def test_build_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dashboards.grafana.build", None)
    ran = run("build", "--out", str(tmp_path))
    assert ran.code == 2
    assert "'.[dashboards]'" in ran.err
