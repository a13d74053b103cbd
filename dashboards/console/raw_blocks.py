"""The stored blocks for programs: which there are, and each as it lies on disk, with its checksum.

Read-only, like everything under /api: `palier.historian.open(..., waveforms="http://PAGE")` asks here.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from palier.frames import FrameId
from palier.historian.waveforms import WaveformError, WaveformReader

from .context import console_of, name_in, words_of
from .waves import name_of

MOST_LISTED: Final = 10_000
"""Blocks of one answer, the newest ones: 1 MB. Who wants more asks again for those before the first."""


async def listed_json(request: Request) -> Response:
    """GET /api/machines/<id>/waveforms?point=&start_ns=&end_ns=: the kept blocks of a point from start on and
    before end, oldest first; at most MOST_LISTED, the newest of them.

    {"most": MOST_LISTED, "waveforms": [{"time_ns", "frame", "alarm"}]}.
    """
    console = console_of(request)
    machine = name_in(request, request.path_params["machine"], "machine")
    point = name_in(request, request.query_params.get("point"), "point")
    start_ns, end_ns = (_ns(request, name) for name in ("start_ns", "end_ns"))
    rows = await console.records.run(
        lambda records: records.waveforms(
            console.plant.site_id, machine, point, start_ns=start_ns, end_ns=end_ns, newest=MOST_LISTED
        )
    )
    told = [{"time_ns": row.start_ns, "frame": name_of(row.frame), "alarm": row.alarm} for row in rows]
    return JSONResponse({"most": MOST_LISTED, "waveforms": told})


async def block_bytes(request: Request) -> Response:
    """GET /api/waveforms/<edge:epoch:seq>: the record of a block as it lies on disk. 404 for one that is not
    kept (any more).
    """
    console, folder = console_of(request), console_of(request).waveforms
    frame = _frame(request.path_params["frame"])
    row = None if frame is None else await console.records.run(lambda records: records.waveform(frame))
    if folder is None or row is None or row.site != console.plant.site_id:
        raise HTTPException(404, words_of(request).t("error_not_found"))
    reader, found = WaveformReader(folder), row
    try:
        body = await console.desk.waves.run(lambda: reader.read_bytes(found.ref))
    except WaveformError:  # thinned away since the index was read
        raise HTTPException(404, words_of(request).t("error_not_found")) from None
    return Response(body, media_type="application/octet-stream", headers={"cache-control": "no-store"})


def _ns(request: Request, name: str) -> int | None:
    """A time in ns of the query. HTTPException 400."""
    given = request.query_params.get(name, "")
    if not given:
        return None
    try:
        return int(given)
    except ValueError:
        raise HTTPException(400, words_of(request).t("error_ns", name=name, got=given[:20])) from None


def _frame(name: str) -> FrameId | None:
    parts = name.rsplit(":", 2)
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit()) or len(parts[2]) > 18:
        return None
    return FrameId(parts[0], parts[1], int(parts[2]))


ROUTES: Final = [
    Route("/api/machines/{machine}/waveforms", listed_json),
    Route("/api/waveforms/{frame:path}", block_bytes),
]
"""What the application serves of raw blocks."""
