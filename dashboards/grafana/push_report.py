"""What a push prints: a line a step as it is done, or one JSON object at the end."""

from __future__ import annotations

import json
from typing import Final

import typer

from palier.options import FAILED, CommandError

from .push_plan import Action, Step

_CHANGES: Final = {"create": "created", "update": "updated"}
"""The actions that change something, and how they are called afterwards."""


class Report:
    """What is printed: a line a step as it is done, or one JSON object at the end."""

    def __init__(self, *, url: str, dry_run: bool, json_output: bool, quiet: bool) -> None:
        self.url, self.dry_run, self.version = url, dry_run, ""
        self.changes, self.refused = 0, False
        self._json, self._quiet = json_output, quiet
        self._told: list[dict[str, str]] = []
        self._warnings: list[str] = []
        self._error: str | None = None

    def tell(self, step: Step) -> None:
        """One step that is done, or in a dry run is planned."""
        self.refused |= step.action == Action.REFUSED
        action = str(step.action)
        self._told.append(
            {"kind": step.kind, "name": step.name, "uid": step.uid, "action": action, "reason": step.reason}
        )
        if self._json or (self._quiet and step.action != Action.REFUSED):
            return
        word = f"would {action}" if self.dry_run and action in _CHANGES else _CHANGES.get(action, action)
        typer.echo(f"{step.kind:<12} {step.name:<42} {word}" + (f": {step.reason}" if step.reason else ""))

    def warn(self, sentence: str) -> None:
        """Something that does not work although all is written."""
        self._warnings.append(sentence)
        typer.echo(sentence, err=True)

    def failed(self, sentence: str) -> None:
        """The error that ended the push."""
        changed = sum(told["action"] in _CHANGES for told in self._told)
        if self.dry_run or not changed:
            self._error = f"{sentence} (nothing was changed)"
        else:
            self._error = f"{sentence} ({changed} of {self.changes} changes were made before)"

    def end(self) -> None:
        """Print the JSON object, and raise what the exit code says."""
        ok = self._error is None and not self.refused and not self._warnings
        if self._json:
            answer = {
                "grafana": self.url,
                "version": self.version,
                "dry_run": self.dry_run,
                "ok": ok,
                "steps": self._told,
                "warnings": self._warnings,
                "error": self._error,
            }
            typer.echo(json.dumps(answer, ensure_ascii=False))
        if self._error is not None:
            raise CommandError(self._error)
        if not ok:
            raise typer.Exit(FAILED)
