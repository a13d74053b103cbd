"""The settings of a historian: what is refused, and that the sentence names the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from palier.historian.opening import HistorianSettings
from palier.strict_toml import ConfigError

URL = "http://127.0.0.1:8086"


@pytest.mark.parametrize(
    "given",
    [
        {"username": "me", "password_file": "p", "token_file": "t"},
        {"password_file": "p", "token_file": "t"},
        {"username": "me", "password": "p", "token": "t"},
    ],
)
def test_a_token_and_a_password_are_not_both_taken(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"give one or the other"):
        HistorianSettings.model_validate({"url": URL, **given})


@pytest.mark.parametrize("url", ["127.0.0.1:8086", "influx://h:8086", "http://u:hush@h/path", ""])
def test_a_url_that_is_none_is_told_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError, match=r"must be http\(s\)://HOST:PORT") as raised:
        HistorianSettings(url=url)
    assert "hush" not in str(raised.value.errors()[0]["msg"])


@pytest.mark.parametrize("key", ["password_file", "token_file", "ca_file"])
@pytest.mark.parametrize("folder", [False, True])
def test_a_file_that_is_none_is_told_with_its_key(tmp_path: Path, key: str, folder: bool) -> None:
    path = tmp_path if folder else tmp_path / "absent"
    with pytest.raises(ConfigError, match=rf"{key} in \[historian\] must be a file"):
        HistorianSettings.model_validate({"url": URL, key: path}).account()
