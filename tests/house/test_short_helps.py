"""What `--help` of a group tells of each command below it is whole in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from palier import cli

COLUMNS = 80


def groups(command: object, name: str) -> Iterator[tuple[str, TyperGroup]]:
    """Each group of the tree, by what people type."""
    if isinstance(command, TyperGroup):
        yield name, command
        for below, one in command.commands.items():
            yield from groups(one, f"{name} {below}")


TREE = dict(groups(get_command(cli.build_app(tuple(entry_points(group=cli.GROUP)))), "palier"))


def test_the_tree_is_walked() -> None:
    assert {"palier", "palier gateway", "palier model", "palier train", "palier alarms"} <= set(TREE)


@pytest.mark.parametrize("name", sorted(TREE))
def test_no_help_that_is_listed_is_cut(name: str) -> None:
    group = TREE[name]
    context = typer.Context(group, info_name=name, terminal_width=COLUMNS)
    listed = group.get_help(context).partition("Commands:")[2]
    joined = " ".join(listed.split())
    assert listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []
    assert max(map(len, listed.partition("Example:")[0].splitlines())) <= COLUMNS
    for below, command in group.commands.items():
        assert command.hidden or f"{below} {command.get_short_help_str(10_000)}" in joined
