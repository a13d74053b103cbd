"""What the documents say of reading from an InfluxDB works as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import READER, WRITER, set_up_1
from tests.support.influxd import ADMIN, Influxd, running_influxd
from tests.support.services import program
from tests.support.stores import Columns, rows

DOCS = Path(__file__).resolve().parents[2] / "docs"
URL = "http://127.0.0.1:8086"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A server with one block of a minute ago."""
    with running_influxd(tmp_path_factory.mktemp("influxd")) as server:
        admin = Server(server.url, Account(*ADMIN))
        set_up_1(admin, "palier", {WRITER: "w", READER: "r"}, Account(*ADMIN))
        admin.close()
        writer = InfluxHistorian(Server(server.url, Account(WRITER, "w")))
        known = {name: np.array([1.0]) for name in ("velocity_rms_mm_s", "kurtosis")}
        columns: Columns = {**known, "frame": ["khouribga/gw:e:1"]}
        at_ns = [time.time_ns() - 60 * 10**9]
        (report,) = writer.write([rows("feature", at_ns, columns, site="khouribga", machine="P-101")])
        assert report.accepted == 1
        writer.close()
        yield server


def test_the_example_reads_the_last_hour(
    filled: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reader").write_text("r\n")
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "data-scientist.md").read_text("utf-8")
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if 'historian.open("http' in b]
    found: dict[str, object] = {}
    exec(compile(block.replace(URL, filled.url), "docs/data-scientist.md", "exec"), found)
    assert found["last_hour"]["machine"].tolist() == ["P-101"]  # type: ignore[index]


@pytest.mark.parametrize("document", ["data-scientist.md", "historian.md"])
def test_the_raw_question_is_answered(filled: Influxd, document: str) -> None:
    text = (DOCS / document).read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^    (curl .*)$", text, re.MULTILINE)
    words = shlex.split(line.replace(URL, filled.url).replace(READER, f"{READER}:r"))
    done = subprocess.run(
        [program("curl"), "-s", *words[1:]], capture_output=True, text=True, timeout=100, check=True
    )
    (series,) = json.loads(done.stdout)["results"][0]["series"]
    assert series["values"][0][1] is not None
