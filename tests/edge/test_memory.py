"""A running agent imports paho, numpy, protobuf and the standard library only: gateways are small."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from palier.frames import MAX_FRAME_BYTES
from tests.support.edge_agent import write_agent
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto, free_port

ALLOWED = {"paho", "numpy", "google", "palier", "models", "edge_agent"}
FORBIDDEN_OF_OURS = {"palier.plant", "palier.historian", "palier.settings", "models.features", "palier.cli"}

DRIVER = """
import json, sys, threading, time
from pathlib import Path
from edge_agent.starting import build_configured
from edge_agent.remote_settings import read_local
service = build_configured(read_local(Path(sys.argv[1])))
service.start()
deadline = time.monotonic() + 60
while not (service.sampled_all and service.recorder.idle) and time.monotonic() < deadline:
    time.sleep(0.02)
rss = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
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
        timeout=150,
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


REFUSED = """
import json, queue, sys, threading
from pathlib import Path
import numpy as np
from edge_agent.starting import build_configured
from edge_agent.remote_settings import read_local
from palier.frames import Waveform
samples = int(sys.argv[2])
service = build_configured(read_local(Path(sys.argv[1])))
service.start()
with service.outbox._lock:
    service.outbox._db.execute("PRAGMA query_only = ON")
go = threading.Event()
for number in range(60_000_000 // (2 * samples)):
    block = np.full((1, samples), number % 1000, "<i2")
    service.recorder.put(Waveform("P", "1", ("DE",), block, (1.0,), ("g",), 1000.0, 10**18 + number), go)
    del block
rss = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
with service.outbox._lock:
    service.outbox._db.execute("PRAGMA query_only = OFF")
service.stop()
print(json.dumps({"rss_kb": int(rss), "lost": service.recorder.intake.lost}))
"""


@pytest.mark.parametrize("samples", [12_500, 2_000_000])
def test_a_disk_that_refuses_does_not_fill_the_memory(
    tmp_path: Path, record_property: Callable[[str, object], None], samples: int
) -> None:
    """60 MB of frames while no commit succeeds: the peak of the process, ring and all."""
    config = write_agent(tmp_path, free_port(), rate="0.001")
    done = subprocess.run(
        [sys.executable, "-P", "-c", REFUSED, str(config), str(samples)],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    found = json.loads(done.stdout)
    record_property("resident_kb", found["rss_kb"])
    assert found["lost"] > 0
    assert found["rss_kb"] < 60 * 1024


SENT = """
import json, sys, threading, time
from pathlib import Path
import numpy as np
from edge_agent.starting import build_configured
from edge_agent.remote_settings import read_local
from palier.frames import Waveform
service = build_configured(read_local(Path(sys.argv[1])))
service.start()
go, deadline = threading.Event(), time.monotonic() + 100
samples, count = int(sys.argv[2]), int(sys.argv[3])
for number in range(count):
    block = np.full((1, samples), number, "<i2")
    frame = Waveform("P", "1", ("DE",), block, (1.0,), ("g",), 1000.0, time.time_ns())
    service.recorder.put(frame, go, can_wait=True)
    del block, frame
while service.outbox.totals().pending and time.monotonic() < deadline:
    time.sleep(0.05)
rss = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
pending = service.outbox.totals().pending
service.stop()
print(json.dumps({"rss_kb": int(rss), "pending": pending}))
"""


LARGEST: Final = (MAX_FRAME_BYTES - 4096) // 2
"""Samples of int16 in a message of nearly MAX_FRAME_BYTES."""


@pytest.mark.long
@pytest.mark.parametrize(("samples", "count"), [(12_500, 600), (LARGEST, 12)])
def test_an_agent_that_sends_stays_within_60_mb(
    mosquitto: Mosquitto,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    samples: int,
    count: int,
) -> None:
    """Ordinary blocks, and such as fill a message, as fast as the disk takes them: the peak."""
    config = write_agent(tmp_path, mosquitto.port, rate="0.001")
    with FakeHost(mosquitto.port) as host:
        done = subprocess.run(
            [sys.executable, "-P", "-c", SENT, str(config), str(samples), str(count)],
            capture_output=True,
            text=True,
            timeout=150,
            check=True,
        )
    found = json.loads(done.stdout)
    record_property("resident_kb", found["rss_kb"])
    assert (found["pending"], len(host.stored)) == (0, count)
    assert found["rss_kb"] < 60 * 1024


def _of_editable_installs(names: set[str]) -> set[str]:
    """Finders that pip and virtualenv put into every process of an environment."""
    return {name for name in names if name.startswith(("__editable__", "_virtualenv", "_editable_impl"))}


ADAPTIVE = """
import json, sys, threading, time
from pathlib import Path
import numpy as np
from edge_agent.starting import build_configured
from edge_agent.remote_settings import read_local
from palier.frames import Waveform
service = build_configured(read_local(Path(sys.argv[1])))
service.start()
go, deadline = threading.Event(), time.monotonic() + 100
for number in range(20):
    block = np.random.default_rng(number).integers(-9000, 9000, (3, 102_400)).astype("<i2")
    frame = Waveform("P", "1", ("X", "Y", "Z"), block, (0.001,) * 3, ("g",) * 3, 25_600.0, time.time_ns())
    service.recorder.put(frame, go, can_wait=True)
    del block, frame
while service.recorder.intake.waiting and time.monotonic() < deadline:
    time.sleep(0.05)
rss = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
retained, acquired = service.outbox.retained().rows, service.outbox.last_seq
service.stop()
print(json.dumps({"rss_kb": int(rss), "retained": retained, "acquired": acquired}))
"""


@pytest.mark.long
def test_an_agent_that_computes_features_stays_within_110_mb(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Blocks of three axes and four seconds at 25.6 kHz, in mode adaptive: the peak, outbox and all."""
    config = write_agent(tmp_path, free_port(), rate="0.001")
    config.write_text(config.read_text("utf-8") + '\n[transmit]\nmode = "adaptive"\n', "utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-c", ADAPTIVE, str(config)],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    found = json.loads(done.stdout)
    record_property("resident_kb", found["rss_kb"])
    assert (found["retained"], found["acquired"]) == (19, 21)
    assert found["rss_kb"] < 110 * 1024
