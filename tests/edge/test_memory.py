"""A running agent imports paho, numpy, protobuf and the standard library only: gateways are small."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.edge_agent import write_agent
from tests.support.services import free_port

ALLOWED = {"paho", "numpy", "google", "palier", "models", "edge_agent"}
FORBIDDEN_OF_OURS = {"palier.plant", "palier.historian", "palier.settings", "models.features", "palier.cli"}

DRIVER = """
import json, sys, threading, time
from pathlib import Path
from edge_agent.service import build
from edge_agent.settings import load_settings
service = build(load_settings(Path(sys.argv[1])))
service.start()
deadline = time.monotonic() + 20
while not (service.sampled_all and service.recorder.idle) and time.monotonic() < deadline:
    time.sleep(0.02)
rss = [line for line in open("/proc/self/status") if line.startswith("VmRSS")][0].split()[1]
modules = sorted(name for name, module in sys.modules.items() if module is not None)
pending = service.outbox.totals().pending
service.stop()
print(json.dumps({"modules": modules, "rss_kb": int(rss), "pending": pending}))
"""


# Debian's Python brings a sitecustomize into every process.
OF_THE_INTERPRETER = {"__mp_main__", "__main__", "_distutils_hack", "sitecustomize"}


def test_a_running_agent_imports_no_more_than_it_may(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    config = write_agent(tmp_path, free_port())  # no broker: sampling goes on without
    done = subprocess.run(
        [sys.executable, "-P", "-c", DRIVER, str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["pending"] == 64
    top = {name.partition(".")[0] for name in found["modules"]}
    strangers = {name for name in top - ALLOWED if name not in sys.stdlib_module_names}
    assert strangers <= OF_THE_INTERPRETER | _of_editable_installs(top), strangers
    assert not FORBIDDEN_OF_OURS & set(found["modules"])
    record_property("resident_kb", found["rss_kb"])
    assert found["rss_kb"] < 60 * 1024


def _of_editable_installs(names: set[str]) -> set[str]:
    """Finders that pip and virtualenv put into every process of an environment."""
    return {name for name in names if name.startswith(("__editable__", "_virtualenv", "_editable_impl"))}
