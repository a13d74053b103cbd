"""Topics: there and back, and which names are let in."""

from __future__ import annotations

import pytest

from palier.wire.topics import Kind, Topic, TopicError, group_filter, parse, state_topic


@pytest.mark.parametrize("kind", Kind)
def test_a_topic_of_each_kind_comes_back(kind: Kind) -> None:
    """tck-id-topic-structure, tck-id-topic-structure-namespace-device-id-associated-message-types."""
    topic = Topic("usine", kind, "gw-1", "pompe-3" if kind.value[0] == "D" else None)
    text = f"spBv1.0/usine/{kind.value}/gw-1" + ("/pompe-3" if kind.value[0] == "D" else "")
    assert str(topic) == text
    assert parse(text) == topic
    assert topic.edge == "usine/gw-1"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "spBv1.0",
        "spBv1.0/g/NDATA",
        "spAv1.0/g/NDATA/n",
        "spBv1.0/g/DATA/n",
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0/g/DDATA/n/d/x",
        "spBv1.0/STATE/palier",
        "spBv1.0/g/ndata/n",
        "spBv1.0//NDATA/n",
        "spBv1.0/g/NDATA/",
        "spBv1.0/g/NDATA/a b",
        "spBv1.0/g/NDATA/a\n",
        "spBv1.0/g/NDATA/..",
        "spBv1.0/g/DDATA/n/.",
        "spBv1.0/g/NDATA/é",
        "spBv1.0/+/NDATA/n",
        "spBv1.0/g/NDATA/" + "a" * 65,
        "a" * 65_535,
    ],
)
def test_what_is_no_topic_of_a_node_or_device_is_refused_in_a_short_sentence(topic: str) -> None:
    with pytest.raises(TopicError, match="must") as caught:
        parse(topic)
    assert len(str(caught.value)) < 250


def test_a_topic_can_not_be_made_of_names_that_are_none() -> None:
    for names in (("a/b", "n", None), ("g", "#", None), ("g", "n", "")):
        with pytest.raises(TopicError):
            Topic(names[0], Kind.NDATA if names[2] is None else Kind.DDATA, names[1], names[2])


def test_state_and_filter_are_of_the_namespace() -> None:
    """tck-id-host-topic-phid-birth-topic."""
    assert state_topic("palier") == "spBv1.0/STATE/palier"
    assert group_filter("usine") == "spBv1.0/usine/#"
    for name in ("", "a/b", "+", "#"):
        with pytest.raises(TopicError):
            state_topic(name)
        with pytest.raises(TopicError):
            group_filter(name)
