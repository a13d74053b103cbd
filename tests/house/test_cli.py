"""The command: its map, its errors, its exit codes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from palier import cli
from palier.cli import build_app, main, split_example
from palier.extras import EXTRAS
from palier.options import CommandError
from palier.recordings import RecordingError
from palier.strict_toml import ConfigError, Mistake

NAMES = {"demo", "agent", "ingest", "console", "replay", "simulate", "analyze", "ledger", "plant", "doctor"}


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, cli.GROUP)


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def test_the_map_names_every_command_and_all_can_be_imported(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    out = capsys.readouterr().out
    assert {e.name for e in entry_points(group=cli.GROUP)} >= NAMES
    assert all(f"\n  {name} " in out for name in NAMES)
    assert "Not available" not in out


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(name, "--help") == 0
    out = capsys.readouterr().out
    assert "Example:" in out
    assert f"palier {name}" in out.partition("Example:")[2]


def test_help_does_not_wait_for_heavy_imports() -> None:
    """What the map imports: no FFT, web server, or database of Parquet."""
    code = (
        "import sys\nfrom palier.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'scipy', 'numpy', 'starlette', 'uvicorn', 'pyarrow', 'pydantic', 'paho', 'rich'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_comes_at_once() -> None:
    """It imports some 270 modules; with 400 people would notice that they wait, on any machine."""
    code = (
        "import sys\nfrom palier.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('MODULES', len(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1].removeprefix("MODULES ")) < 400


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"palier {version('palier')}\n"


def test_an_entry_point_that_fails_to_import_is_listed_with_its_reason() -> None:
    app = build_app([entry("broken", "no.such.module:x"), entry("plant", "palier.commands.plant:plant")])
    out = CliRunner().invoke(app, ["--help"])
    assert out.exit_code == 0
    assert "Not available: ModuleNotFoundError: No module named 'no'" in " ".join(out.stdout.split())
    assert "plant " in out.stdout
    called = CliRunner().invoke(app, ["broken"])
    assert isinstance(called.exception, CommandError)
    assert "palier broken is not available" in str(called.exception)


def test_an_entry_point_that_is_no_command_is_listed_with_its_reason() -> None:
    out = CliRunner().invoke(build_app([entry("odd", "math:pi"), entry("b", "math:tau")]), ["--help"])
    assert "neither a function nor a typer.Typer" in " ".join(out.stdout.split())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a command that raises; its exit code."""

    def run(error: BaseException) -> int:
        app = typer.Typer()

        @app.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(cli, "build_app", lambda _: app)
        return exit_code()

    return run


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            ConfigError("f.toml", (Mistake(3, "x is wrong"), Mistake(4, "y too"))),
            2,
            "f.toml:3: x is wrong\nf.toml:4: y too\n",
        ),
        (RecordingError("x.npz: is damaged"), 2, "x.npz: is damaged\n"),
        (CommandError("it did not add up"), 1, "it did not add up\n"),
        (CommandError("--x must be 1", 2), 2, "--x must be 1\n"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_an_exit_code(
    failing: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    told: str,
) -> None:
    assert failing(error) == code
    assert capsys.readouterr().err == told


def test_a_defect_is_a_sentence_too(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(ZeroDivisionError("division by zero")) == 1
    err = capsys.readouterr().err
    assert err.startswith("palier failed unexpectedly: ZeroDivisionError: division by zero.")
    assert "PALIER_DEBUG=1" in err
    assert "Traceback" not in err


def test_for_those_who_look_for_it_the_traceback_is_there(
    failing: Callable[[BaseException], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("plant", "check"), ("analyze", "x.wav", "--fs", "fast")]
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*arguments) == 2
    assert capsys.readouterr().err


def test_only_the_command_that_is_called_is_imported() -> None:
    code = (
        "import sys\nfrom palier.cli import main\n"
        "try: main(['plant', '--help'])\nexcept SystemExit: pass\n"
        "rooms = ('edge_agent', 'ingest', 'dashboards', 'simulators')\n"
        "print([m for m in sys.modules if m.startswith(rooms)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`palier ... | head`: no traceback and no complaint of the interpreter."""
    done = subprocess.run(
        f"{sys.executable} -m palier doctor --json --data {tmp_path} | true",
        shell=True,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stderr == ""


def test_completion_knows_the_commands() -> None:
    env = {"_PALIER_COMPLETE": "complete_bash", "COMP_WORDS": "palier pla", "COMP_CWORD": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "palier"], env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.split() == ["plant"]


@pytest.mark.parametrize(
    ("doc", "text", "example"),
    [
        ("Do.", "Do.", None),
        ("Do.\n\nMore.", "Do.\n\nMore.", None),
        ("Do.\n\nMore.\n\nExample:\n  palier do", "Do.\n\nMore.", "\b\nExample:\n  palier do"),
    ],
)
def test_the_example_of_a_docstring_stands_at_the_end(doc: str, text: str, example: str | None) -> None:
    assert split_example(doc) == (text, example)


@pytest.mark.parametrize("module", ["influxdb_client", "influxdb_client.rest", "cryptography"])
def test_a_missing_extra_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    def doctor(**_: object) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("palier.diagnostics.check_all", doctor)
    assert exit_code("doctor") == 1
    extra = "influx" if "influx" in module else "provision"
    told = capsys.readouterr().err
    assert told.startswith(f"this needs {module}, which is not installed: pip install '.[{extra}]'")
    assert told.count("\n") == 1


def test_every_extra_of_the_project_is_known() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"all", "bench"}
