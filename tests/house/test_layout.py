"""What is true of the whole tree: the packages, the locks, the documents, and that the house rule catches."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("palier", "models", "edge_agent", "ingest", "dashboards", "simulators")
GATEWAY_MUST_NOT_INSTALL = ("scikit-learn", "starlette", "uvicorn", "jinja2", "pandas", "iotcore")


def sources() -> list[Path]:
    return [f for p in PACKAGES for f in sorted((ROOT / p).rglob("*.py")) if not f.name.endswith("_pb2.py")]


def test_all_packages_come_from_one_place() -> None:
    code = (
        "import importlib; "
        f"print({{importlib.import_module(p).__path__[0].rsplit('/', 1)[0] for p in {PACKAGES}}})"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.count("'") == 2, f"packages are taken from several places: {out}"


def test_no_test_folder_is_named_like_a_package() -> None:
    assert not {p.name for p in (ROOT / "tests").iterdir()} & {*PACKAGES, "tests"}


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name)
def test_locks_are_hashed_and_name_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    pins = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert pins
    assert all("==" in line and line.endswith("\\") for line in pins)


def test_a_gateway_installs_no_web_server_and_no_learning_library() -> None:
    installed = set(
        re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "core.txt").read_text(), re.MULTILINE)
    )
    assert {"numpy", "paho-mqtt", "protobuf"} <= installed
    assert not installed & set(GATEWAY_MUST_NOT_INSTALL)


def test_a_file_is_a_room_one_can_live_in() -> None:
    long = {str(f.relative_to(ROOT)): n for f in sources() if (n := len(f.read_text().splitlines())) > 400}
    assert not long, f"over 400 lines: {long}"


def test_the_rule_of_the_house_catches(tmp_path: Path) -> None:
    """import-linter refuses a room that imports a room, an import upwards, and a core that reads files."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "ingest" / "wrong.py").write_text("import edge_agent\n")
    (tmp_path / "palier" / "wrong.py").write_text("import dashboards\n")
    (tmp_path / "models" / "wrong.py").write_text("import pathlib\n")
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [lint, "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    for broken in ("ingest.wrong -> edge_agent", "palier.wrong -> dashboards", "models.wrong -> pathlib"):
        assert broken in run.stdout, run.stdout


def test_the_readme_names_commands_that_exist() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^\s*make ([a-z]+)", readme, re.MULTILINE)) | {"demo", "test"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), (
            f"README says make {target}, the Makefile has none"
        )
    for page in re.findall(r"\]\(((?!http)[^)#]+)\)", readme):
        assert (ROOT / page).exists(), f"README points to {page}, which is absent"
