"""The plant overview, and which machine a URL names."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .context import channel_in, console_of, name_in, words_of
from .live import Board
from .machine import MachineView, NoSuchChannelError, NoSuchMachineError, machine_view
from .rendering import counts_of, is_lean, page, page_settings, size_of


async def overview_page(request: Request) -> Response:
    """GET /: a tile for each machine, the worst first."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    return page(
        request,
        words,
        "overview.html",
        tiles=board.overview.tiles,
        lined=board.overview.lined,
        size=size_of(board),
        counts=counts_of(board),
        problem=board.problem,
        now_ns=board.now_ns,
        lean=is_lean(board),
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}&page=overview"),
    )


def view_in(request: Request, board: Board) -> MachineView:
    """The machine (and channel) that a URL names. HTTPException 400 or 404 with a sentence."""
    words = words_of(request)
    machine = name_in(request, request.path_params.get("machine"), "machine")
    try:
        return machine_view(console_of(request), board, machine, channel_in(request))
    except NoSuchMachineError as error:
        raise HTTPException(404, words.t("error_machine", machine=machine)) from error
    except NoSuchChannelError as error:
        raise HTTPException(404, words.t("error_channel", machine=machine)) from error
