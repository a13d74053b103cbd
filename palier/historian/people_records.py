"""What the records hold between machines and people, read: a part of `RecordsReader`."""

from __future__ import annotations

from .database import Database, clamp
from .rows import AlarmRow, BaselineRow, CommandRow, InterventionRow, NoticeRow, VerdictRow

_INTERVENTION = "id, site, machine, point, kind, at_ns, recorded_ns, user, text, cause"
_VERDICT = "id, site, alarm, raised_ns, fault, verdict, found, cause, text, user, ts_ns"


class PeopleReader:
    """Alarms, commands, interventions, verdicts, baselines and waiting messages."""

    _database: Database

    def alarms(self) -> tuple[AlarmRow, ...]:
        """Every alarm that ever was, as it is now."""
        return tuple(AlarmRow(*row) for row in self._database.query("SELECT site, id, value FROM alarm"))

    def commands(self, newest: int) -> tuple[CommandRow, ...]:
        """The commands answered last, oldest first."""
        rows = self._database.query(
            "SELECT id, site, at_ns, digest, reply FROM command ORDER BY n DESC LIMIT ?", (newest,)
        )
        return tuple(CommandRow(*row) for row in reversed(rows))

    def command(self, command_id: str) -> CommandRow | None:
        """The command of that id, None where none was answered, or long ago."""
        rows = self._database.query(
            "SELECT id, site, at_ns, digest, reply FROM command WHERE id=?", (command_id,)
        )
        return CommandRow(*rows[0]) if rows else None

    def interventions(self, machine: str | None = None, since_ns: int = 0) -> tuple[InterventionRow, ...]:
        """What was done to a machine, or to all, at or after a time; oldest first."""
        rows = self._database.query(
            f"SELECT {_INTERVENTION} FROM intervention WHERE machine=coalesce(?, machine) AND at_ns>=? "  # noqa: S608
            "ORDER BY at_ns, id",
            (machine, clamp(since_ns)),
        )
        return tuple(InterventionRow(*row) for row in rows)

    def verdicts(self, since_ns: int = 0) -> tuple[VerdictRow, ...]:
        """What people found behind alarms, told at or after a time; oldest first."""
        rows = self._database.query(
            f"SELECT {_VERDICT} FROM verdict WHERE ts_ns>=? ORDER BY ts_ns, id",  # noqa: S608
            (clamp(since_ns),),
        )
        return tuple(VerdictRow(*row) for row in rows)

    def baselines(self) -> tuple[BaselineRow, ...]:
        """Every version of every machine's baseline, by machine and version."""
        rows = self._database.query(
            "SELECT site, machine, version, value FROM baseline ORDER BY site, machine, version"
        )
        return tuple(BaselineRow(*row) for row in rows)

    def notices(self) -> tuple[NoticeRow, ...]:
        """Messages that wait, oldest first."""
        return tuple(
            NoticeRow(*row) for row in self._database.query("SELECT id, value FROM notice ORDER BY n")
        )
