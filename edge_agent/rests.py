"""Asking a person to lay a sensor on each of its faces, until all six rests are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from models.calibration import CalibrationError, Pose, pose

from .taking import Taken, of_sensor

if TYPE_CHECKING:
    from palier.locale import Catalogue

    from .sensors.continuous import ContinuousSource


def ask_rests(
    source: ContinuousSource, seconds: float, g_m_s2: float, words: Catalogue, *, aside: bool = False
) -> tuple[list[Taken], list[Pose]]:
    """Rests for each axis and direction; one that can't be used is said so and asked for again.

    `aside` asks on stderr: stdout is for what was found.
    """
    channels = source.place.sensor.channels
    wanted = {
        (axis, sign): f"{name} {'+' if sign > 0 else '-'}"
        for axis, name in enumerate(channels)
        for sign in (1, -1)
    }
    taken: list[Taken] = []
    poses: list[Pose] = []
    while wanted:
        typer.prompt(
            words.text("calibrate.lay", faces=", ".join(wanted.values())),
            default="",
            show_default=False,
            err=aside,
        )
        try:
            one = of_sensor(source, seconds)
            found = pose(one.samples_m_s2, g_m_s2=g_m_s2)
        except (CalibrationError, OSError) as error:
            typer.echo(str(error), err=True)
            continue
        face = wanted.pop((found.axis, found.sign), None)
        if face is None:
            typer.echo(words.text("calibrate.twice"), err=aside)
            continue
        typer.echo(words.text("calibrate.rest", face=face), err=aside)
        taken.append(one)
        poses.append(found)
    return taken, poses
