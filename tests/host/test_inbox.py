"""The bounded queue between the link and the worker."""

from __future__ import annotations

import threading

from ingest.inbox import Arrived, Inbox, Item, Refused
from palier.wire.payload import DataType, Metric, Payload, encode

DATA = "spBv1.0/usine/DDATA/g1/pompe"
BIRTH = "spBv1.0/usine/NBIRTH/g1"


def payload(seq: int | None, n_bytes: int = 0) -> bytes:
    metric = Metric("p1/h", DataType.BYTES, b"x" * n_bytes)
    return encode(Payload(1_700_000_000_000, (metric,), seq))


def drain(inbox: Inbox) -> list[Item]:
    items: list[Item] = []
    while (item := inbox.take(0)) is not None:
        assert isinstance(item, Item)
        items.append(item)
    return items


def test_items_come_out_in_the_order_they_came_in() -> None:
    inbox = Inbox()
    inbox.offer(DATA, b"1", 1.0)
    inbox.offer(BIRTH, b"2", 2.0)
    inbox.offer(DATA, b"3", 3.0)
    assert drain(inbox) == [Arrived(DATA, b"1", 1.0), Arrived(BIRTH, b"2", 2.0), Arrived(DATA, b"3", 3.0)]
    assert len(inbox) == 0


def test_a_full_queue_keeps_the_oldest_and_the_seq_of_what_it_discards() -> None:
    inbox = Inbox(max_frames=2)
    for seq in range(4):
        inbox.offer(DATA, payload(seq), float(seq))
    assert inbox.refused == 2
    assert drain(inbox)[2:] == [Refused(DATA, 2, 2.0), Refused(DATA, 3, 3.0)]


def test_bytes_are_bounded_too() -> None:
    inbox = Inbox(max_bytes=1000)
    inbox.offer(DATA, payload(0, 600), 0.0)
    inbox.offer(DATA, payload(1, 600), 0.0)
    assert inbox.refused == 1


def test_room_is_given_back() -> None:
    inbox = Inbox(max_frames=1, max_bytes=1000)
    for seq in range(5):
        inbox.offer(DATA, payload(seq, 600), 0.0)
        assert isinstance(inbox.take(0), Arrived)
    assert inbox.refused == 0


def test_one_noisy_node_leaves_room_for_the_others() -> None:
    inbox = Inbox(max_frames=10, max_frames_of_edge=5)
    for seq in range(50):
        inbox.offer(DATA, payload(seq), 0.0)
    inbox.offer("spBv1.0/usine/DDATA/g2/fan", payload(0), 0.0)
    taken = [item for item in drain(inbox) if isinstance(item, Arrived)]
    assert [item.topic for item in taken] == [DATA] * 5 + ["spBv1.0/usine/DDATA/g2/fan"]


def test_a_birth_finds_room_when_data_do_not() -> None:
    inbox = Inbox(max_frames=1)
    for seq in range(3):
        inbox.offer(DATA, payload(seq), 0.0)
    inbox.offer(BIRTH, b"birth", 0.0)
    assert drain(inbox)[-1] == Arrived(BIRTH, b"birth", 0.0)


def test_a_flood_of_births_is_bounded() -> None:
    inbox = Inbox(max_control=10)
    for _ in range(100):
        inbox.offer(BIRTH, b"birth", 0.0)
    assert len(inbox) == 10
    assert inbox.refused == 90


def test_a_waiting_reader_is_woken() -> None:
    inbox = Inbox()
    threading.Timer(0.05, inbox.offer, (DATA, b"1", 1.0)).start()
    assert inbox.take(60) == Arrived(DATA, b"1", 1.0)


def test_what_is_discarded_and_says_no_seq_is_noted_without_one() -> None:
    inbox = Inbox(max_frames=0)
    for data in (payload(None), b"", b"\xff\xff", payload(7)):
        inbox.offer(DATA, data, 0.0)
    assert drain(inbox) == [Refused(DATA, seq, 0.0) for seq in (None, None, None, 7)]


def test_several_noisy_nodes_make_room_for_a_quiet_one() -> None:
    inbox = Inbox(max_frames=10, max_frames_of_edge=5)
    for node in ("g1", "g2"):
        for seq in range(50):
            inbox.offer(f"spBv1.0/usine/DDATA/{node}/pompe", payload(seq), 0.0)
    for seq in range(3):
        inbox.offer("spBv1.0/usine/DDATA/g3/fan", payload(seq), 0.0)
    items = drain(inbox)
    kept = [item.topic.split("/")[3] for item in items if isinstance(item, Arrived)]
    assert (kept.count("g1"), kept.count("g2"), kept.count("g3")) == (3, 4, 3)
    assert [i.sparkplug_seq for i in items if isinstance(i, Refused) and "g1" in i.topic][:2] == [3, 4]
    oldest = [item.payload for item in items if isinstance(item, Arrived) and "g1" in item.topic]
    assert oldest == [payload(seq) for seq in range(3)]


def test_a_queue_full_of_bytes_makes_room_too() -> None:
    inbox = Inbox(max_bytes=1000)
    for seq in range(3):
        inbox.offer(DATA, payload(seq, 280), 0.0)
    inbox.offer("spBv1.0/usine/DDATA/g2/fan", payload(0, 280), 0.0)
    assert [type(item) for item in drain(inbox)] == [Arrived, Arrived, Refused, Arrived]


def test_a_node_of_large_frames_pushes_out_no_node_of_small_ones() -> None:
    """Where bytes are short it is bytes that count, not frames."""
    inbox = Inbox(max_bytes=10_000)
    for seq in range(8):
        inbox.offer(DATA, payload(seq, 950), 0.0)
    for seq in range(20):
        inbox.offer("spBv1.0/usine/DDATA/g2/fan", payload(seq, 100), 0.0)
    inbox.offer(DATA, payload(8, 950), 0.0)
    kept = [item.topic.split("/")[3] for item in drain(inbox) if isinstance(item, Arrived)]
    assert kept.count("g2") == 20
    assert kept.count("g1") <= 7


def test_data_do_not_take_the_bytes_of_births_nor_births_those_of_data() -> None:
    inbox = Inbox(max_bytes=1000, max_control_bytes=1000)
    inbox.offer(DATA, payload(0, 900), 0.0)
    inbox.offer(BIRTH, b"b" * 900, 0.0)
    inbox.offer(BIRTH, b"b" * 900, 0.0)
    inbox.offer("spBv1.0/usine/DDATA/g2/fan", payload(0, 50), 0.0)
    assert [len(item.payload) > 800 for item in drain(inbox) if isinstance(item, Arrived)] == [
        True,
        True,
        False,
    ]
