"""Type-checks dashboards against the TypeScript schemas that Grafana publishes for two of its versions.

npm installs them once into `.cache`, by the hash of the lock: a second run needs no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.services import program

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = ROOT / "tests" / "grafana" / "typescript"
VERSIONS: Final = ("12", "13")

PLUGINS: Final = {
    "barchart": "BarChart",
    "heatmap": "Heatmap",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "table": "Table",
    "text": "Text",
    "timeseries": "TimeSeries",
    "xychart": "XYChart",
}
"""The panel plugins that we use, as the schema calls them: each has types for its options and its fields."""

_WITHOUT_FIELDS: Final = ("stat", "text")

_PRELUDE: Final = """\
// JSON holds an enum's value, not its name: the types of strings become those of the literals.
type Lit<T> = T extends string ? `${T}` : T extends readonly (infer U)[] ? Lit<U>[]
  : T extends object ? { [K in keyof T]: Lit<T[K]> } : T;
"""

_NOT_PUBLISHED: Final = {"state-timeline": ("insertNulls",)}
"""Fields that the plugin's own editor writes ("disconnect values") and its published types leave out."""

_OF_THE_PLUGIN: Final = ("query", "rawQuery", "resultFormat", "fromAnnotations", "textEditor")
_OF_THE_PLUGIN_COLUMNS: Final = ("textColumn", "tagsColumn")


def mistakes(cases: Mapping[str, tuple[Mapping[str, Any], str]], folder: Path) -> dict[str, str]:
    """What the compiler says of dashboards: name to (body, version), each "" when it is what that Grafana
    expects. All in one run: most of its time is reading the schemas.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (dashboard, version) in cases.items():
        (folder / f"{name}.ts").write_text(_PRELUDE + "\n".join(_statements(dashboard, version)))
    modules = folder / "node_modules"
    if not modules.is_symlink():
        modules.symlink_to(_installed() / "node_modules")
    run = subprocess.run(
        [
            str(program("node")),
            str(modules / "typescript" / "bin" / "tsc"),
            *("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--pretty", "false"),
            *("--module", "nodenext", "--moduleResolution", "nodenext", *(f"{name}.ts" for name in cases)),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stdout or run.returncode == 0, run.stderr
    said = re.split(r"^(?=\S+\.ts\()", run.stdout, flags=re.MULTILINE)
    assert said[0] == "", run.stdout
    return {name: "".join(one for one in said if one.startswith(f"{name}.ts(")) for name in cases}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels, those of closed rows too; not the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def _statements(dashboard: Mapping[str, Any], version: str) -> Iterator[str]:
    schema = f"@grafana/schema-{version}"
    yield f'import type {{ Dashboard }} from "{schema}";'
    for plugin, name in PLUGINS.items():
        module = f"{schema}/dist/esm/raw/composable/{name.lower()}/panelcfg/x/{name}PanelCfg_types.gen"
        yield f'import type * as {_letters(plugin)} from "{module}";'
    body = json.loads(json.dumps(dashboard))
    for annotation in body["annotations"]["list"]:
        # The body of a query is its plugin's; of panels' queries the schema leaves it open.
        for key in (*_OF_THE_PLUGIN, *_OF_THE_PLUGIN_COLUMNS):
            annotation["target"].pop(key, None)
    yield f"export const dashboard: Lit<Dashboard> = {json.dumps(body, indent=1)};"
    for panel in panels(dashboard):
        number, plugin = panel["id"], panel["type"]
        options = json.dumps(panel["options"], indent=1)
        yield f"export const options{number}: Lit<{_letters(plugin)}.Options> = {options};"
        if plugin not in _WITHOUT_FIELDS:
            custom = panel["fieldConfig"]["defaults"]["custom"]
            left = {k: value for k, value in custom.items() if k not in _NOT_PUBLISHED.get(plugin, ())}
            fields = json.dumps(left, indent=1)
            yield f"export const fields{number}: Lit<{_letters(plugin)}.FieldConfig> = {fields};"


def _letters(plugin: str) -> str:
    return plugin.replace("-", "_")


def _installed() -> Path:
    """The folder with the schemas and the compiler; installed from the lock where it is not there."""
    program("node")
    npm = program("npm")
    lock = (PROJECT / "package-lock.json").read_bytes()
    home = ROOT / ".cache" / f"grafana-types-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (home / "node_modules").is_dir():
        making = home.with_name(f"{home.name}.{os.getpid()}")
        shutil.copytree(PROJECT, making)
        install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        run = subprocess.run(install, cwd=making, capture_output=True, text=True, check=False, timeout=110)
        if run.returncode != 0:
            shutil.rmtree(making)
            _unavailable(run.stderr)
        try:
            making.rename(home)
        except OSError:  # another worker was faster
            shutil.rmtree(making)
    return home


def _unavailable(said: str) -> None:
    last = (said.strip().splitlines() or ["npm said nothing"])[-1]
    sentence = f"the schemas of Grafana can't be installed by npm ({last}): connect, or set npm's registry"
    if os.environ.get("PALIER_REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
