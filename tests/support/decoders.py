"""Every reader of bytes that a stranger, a bad line or a worn card may have written, with its errors."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from edge_agent.outbox_rows import frame_of
from palier.frames import FrameError, FrameId, pack
from palier.historian.waveforms import WaveformError, _record, parse
from palier.operations import (
    Acknowledge,
    CauseCode,
    Command,
    Found,
    GiveVerdict,
    Intervene,
    InterventionKind,
    Outcome,
    Reply,
    Shelve,
)
from palier.wire import messages, operations, session, state
from palier.wire.payload import DecodeError, Payload, decode, encode, peek_seq
from palier.wire.topics import Kind, Topic, TopicError
from palier.wire.topics import parse as parse_topic
from tests.support import wire_examples as examples


@dataclass(frozen=True)
class Decoder:
    """What reads, whole examples of what it reads, and the errors that may leave it."""

    name: str
    read: Callable[[bytes], object]
    corpus: tuple[bytes, ...]
    errors: tuple[type[Exception], ...]
    weight: int  # of a hundred mutations
    payloads: bool = False  # whether the examples can be damaged as Sparkplug payloads too

    def survives(self, data: bytes) -> bool:
        """Whether the bytes were read; False where they were refused as promised. All else is raised."""
        try:
            self.read(data)
        except self.errors:
            return False
        return True


# --- Sparkplug payloads, as host and gateway read them

_OF_KIND: Final[dict[Kind, tuple[Callable[[Payload], object], ...]]] = {
    Kind.NBIRTH: (messages.read_node_birth, messages.read_bd_seq),
    Kind.DBIRTH: (lambda payload: messages.read_device_birth(payload, "pompe-3"),),
    Kind.NDATA: (messages.read_ledger, messages.read_replayed),
    Kind.DDATA: (
        messages.is_frame,
        lambda payload: messages.peek_id(payload, examples.EDGE),
        lambda payload: messages.read_frame(payload, edge=examples.EDGE, machine="pompe-3"),
    ),
    Kind.NCMD: (
        messages.read_stored,
        messages.is_rebirth,
        messages.read_limits,
        messages.read_attention,
        messages.read_replay,
    ),
    Kind.NDEATH: (messages.read_bd_seq,),
}


def of_kind(kind: Kind) -> Callable[[bytes], object]:
    """Decode, read as that kind of message, step a session by it, and write it again."""
    topic = Topic("g", kind, "n", "d" if kind.of_device else None)

    def read(data: bytes) -> object:
        messages.peek_id(data, examples.EDGE)
        peek_seq(data)
        payload = decode(data)
        heard = session.HostSession()
        for one in (Topic("g", Kind.NBIRTH, "n"), Topic("g", Kind.DBIRTH, "n", "d"), topic):
            event = session.event_of(one, payload, 0.0)
            if event is not None:
                heard, _ = session.step(heard, event)
        with suppress(DecodeError):  # of no birth, mostly
            session.resolve(heard, topic.device or session.NODE, payload.metrics)
        for reader in _OF_KIND[kind]:
            reader(payload)
        return payload

    return read


def written_again(data: bytes) -> bytes:
    """What can be read can be written, or is refused by name."""
    return encode(decode(data))


def _payloads(*kinds: str) -> tuple[bytes, ...]:
    """Golden files and the present examples whose name begins so."""
    golden = [
        path.read_bytes() for path in sorted(examples.GOLDEN.glob("*.bin")) if _begins(path.stem, kinds)
    ]
    return (*golden, *(data for name, data in examples.examples().items() if name.startswith(kinds)))


def _begins(stem: str, kinds: Iterable[str]) -> bool:
    return any(f"-{kind}" in stem for kind in kinds)


# --- people's commands and the replies to them


def _commands() -> tuple[bytes, ...]:
    alarm = "pompe-3/1/vibration"
    asks = (
        Acknowledge(alarm, "vu, on surveille\ndemain aussi"),
        Shelve(alarm, "essai de la pompe de secours", 3600),
        Intervene(
            "pompe-3", InterventionKind.BEARING_CHANGED, examples.START_NS, "1", "SKF", CauseCode.OVERLOAD
        ),
        GiveVerdict(alarm, Found.CONFIRMED, text="bague extérieure écaillée"),
    )
    commands = (Command(f"commande-{n}", "amina", ask, n) for n, ask in enumerate(asks))
    return tuple(map(operations.encode_command, commands))


def _replies() -> tuple[bytes, ...]:
    reply = Reply("commande-1", Outcome("done"), "acknowledged", {"who": "amina", "n": 3}, 4, {"id": "a/b/c"})
    return (operations.encode_reply(reply),)


def _command(data: bytes) -> object:
    operations.readable_id(data)
    return operations.digest(operations.decode_command(data))


# --- what lies on a disk

_LENGTHS: Final = struct.Struct("<II")


def _split(data: bytes) -> list[bytes]:
    """Header, body and three numbers, from one string of bytes."""
    n_header, n_body = _LENGTHS.unpack(data[:8].ljust(8, b"\0"))
    rest = data[8:]
    n_header, n_body = n_header % (len(rest) + 1), n_body % (len(rest) + 1)
    return [rest[:n_header], rest[n_header : n_header + n_body], rest[n_header + n_body :]]


def _row_bytes(header: bytes, body: bytes, shift_ns: int, clock: str) -> bytes:
    return (
        _LENGTHS.pack(len(header), len(body)) + header + body + struct.pack("<q", shift_ns) + clock.encode()
    )


def outbox_row(data: bytes) -> object:
    """A row as version 1 wrote it, without a checksum: whatever stands in it is looked at."""
    header, body, rest = _split(data)
    shift_ns = struct.unpack("<q", rest[:8].ljust(8, b"\0"))[0]
    return frame_of((header, body, None, shift_ns, rest[8:].decode("utf-8", "replace") or None))


def _rows() -> tuple[bytes, ...]:
    frames = (examples.waveform(), examples.waveform("<f4", 1, 16), examples.readings())
    return tuple(
        _row_bytes(*pack(frame), shift_ns, clock)
        for frame, (shift_ns, clock) in zip(
            frames, ((0, ""), (10**9, "unsynced"), (-5, "synced")), strict=True
        )
    )


def segment(data: bytes) -> object:
    """A record of a segment, as it lies there, and with a checksum that fits what it holds."""
    try:
        parse(data, "here")
    except WaveformError:
        fitting = data[:4] + struct.pack("<I", zlib.crc32(data[20:])) + data[8:]
        return parse(fitting, "here")
    return None


def _records() -> tuple[bytes, ...]:
    made = (_record(FrameId(examples.EDGE, examples.EPOCH, n), examples.waveform()) for n in (1, 4242))
    return tuple(record.head + bytes(record.body) for record in made)


def _topic(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    operations.site_of(text)
    return parse_topic(text)


def _topics() -> tuple[bytes, ...]:
    return tuple(
        str(Topic("usine", kind, "gw-1", "pompe-3" if kind.of_device else None)).encode() for kind in Kind
    )


DECODERS: Final[tuple[Decoder, ...]] = (
    *(
        Decoder(kind.value, of_kind(kind), _payloads(kind.lower()), (DecodeError,), weight, payloads=True)
        for kind, weight in {
            Kind.DDATA: 26,
            Kind.NBIRTH: 12,
            Kind.DBIRTH: 10,
            Kind.NDATA: 10,
            Kind.NCMD: 8,
            Kind.NDEATH: 2,
        }.items()
    ),
    Decoder(
        "written again", written_again, _payloads("nbirth", "dd"), (DecodeError, ValueError), 4, payloads=True
    ),
    Decoder("STATE", state.decode_state, _payloads("state"), (DecodeError,), 4),
    Decoder("command", _command, _commands(), (DecodeError,), 6),
    Decoder("reply", operations.decode_reply, _replies(), (DecodeError,), 4),
    Decoder("topic", _topic, _topics(), (TopicError,), 2),
    Decoder("outbox row", outbox_row, _rows(), (FrameError,), 8),
    Decoder("waveform record", segment, _records(), (WaveformError,), 4),
)
