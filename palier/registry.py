"""The registry of models: a folder that works offline and may be copied by rsync.

    REGISTRY/NAME/VERSION/    manifest.json, arrays.npz, model.skops, manifest.sig: never changed again
    REGISTRY/NAME/reports/    replay reports, VERSION-FINGERPRINT.json: likewise
    REGISTRY/NAME/journal.jsonl    who did what to which version, when and why: only appended to

    registry = Registry(Path("models"))
    version = registry.add("baselines", files, Note("s.idrissi", "a year of it", now_ns), kind="baselines")
    registry.promote("baselines", version.version, Note(...))
    registry.line("baselines").in_force

In which stage a version is follows from the journal alone. What was copied half is said so: a version that
the journal names and that is not there, or whose files have other hashes, can't be read, and stays as it was
in force elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from models.bundle_checks import signed_text

from .registry_files import append_line, locked, problems_of, read_files, write_folder, write_whole
from .registry_journal import (
    FILES,
    MANIFEST,
    SIGNATURE,
    Act,
    Entry,
    Line,
    Note,
    RegistryError,
    Stage,
    Version,
    fingerprint_of,
    line_of,
    parse,
    versions_of,
)
from .registry_names import is_name, parse_spec

__all__ = [
    "FILES",
    "MANIFEST",
    "SIGNATURE",
    "Act",
    "Entry",
    "Line",
    "Note",
    "Registry",
    "RegistryError",
    "Stage",
    "Version",
    "digest",
    "fingerprint_of",
    "parse_spec",
]

JOURNAL: Final = "journal.jsonl"
REPORTS: Final = "reports"


class Registry:
    """A registry. Reading needs no lock and changes nothing; what writes holds the others off meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> tuple[str, ...]:
        """The names that have a journal, in alphabetical order. Raises RegistryError without a folder."""
        try:
            return tuple(sorted(p.parent.name for p in self.path.glob(f"*/{JOURNAL}") if is_name(p.parent)))
        except OSError as error:
            raise self._unreadable(error) from error
        finally:
            self._look()

    def line(self, name: str) -> Line:
        """A name with all its versions. Raises RegistryError: no such name, or a journal that is damaged."""
        entries = parse(name, self._journal(name))
        versions = versions_of(name, entries)
        return Line(name, versions, entries, tuple(problems_of(self.path / name, versions)))

    def resolve(self, spec: str) -> Version:
        """The version of "NAME:VERSION"; of a NAME alone that in force, else the newest.

        Raises RegistryError.
        """
        name, number = parse_spec(spec)
        line = self.line(name)
        if number is not None:
            return line.version(number)
        found = line.in_force or line.newest
        if found is None:
            raise RegistryError("no_such_version", f"{name} has no version yet", text="no_version", name=name)
        return found

    def files(self, name: str, version: int) -> dict[str, bytes]:
        """The files of a version, as they were when it was added. Raises RegistryError: not whole, changed,
        too large.
        """
        return self.read(self.line(name).version(version))

    def read(self, one: Version) -> dict[str, bytes]:
        """`files` of a version that was looked up already."""
        found = read_files(self.path / one.name / str(one.version), one.sha256, one.spec)
        for file, content in found.items():
            if digest(content) != one.sha256[file]:
                raise RegistryError(
                    "damaged",
                    f"{file} of {one.spec} is not what was added: it was changed, or is being copied; copy "
                    f"{self.path / one.name / str(one.version)} again from where it was trained",
                    file=file,
                    model=one.spec,
                    path=self.path / one.name / str(one.version),
                )
        return found

    def add(
        self,
        name: str,
        files: Mapping[str, bytes],
        note: Note,
        *,
        kind: str,
        parent: int | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> Version:
        """A new version, a candidate. `parent` is the version that was in force when it was trained; by
        default the present one. It is signed here, where its number is known. Raises RegistryError.
        """
        if parse_spec(name)[1] is not None:
            raise RegistryError("bad_name", f"a new version gets its number here: give {name!r} without it")
        if MANIFEST not in files or not set(files) <= set(FILES):
            raise RegistryError(
                "strange_file", f"a model must be made of {', '.join(FILES)}, got {sorted(files)}"
            )
        with self._writing():
            line = self._line_or_new(name)
            if line.newest is not None and line.newest.kind != kind:
                raise RegistryError(
                    "bad_name",
                    f"{name} is a model of kind {line.newest.kind}, and this is of kind {kind}: give it a "
                    "name of its own (--name)",
                    text="other_kind",
                    name=name,
                )
            if parent is None and line.in_force is not None:
                parent = line.in_force.version
            number = self._next(name, line)
            if sign is not None:
                signature = sign(signed_text(f"{name}:{number}", files[MANIFEST]))
                files = {**files, SIGNATURE: signature}
            digests = {file: digest(content) for file, content in files.items()}
            write_folder(self.path / name / str(number), files)
            entry = Entry(
                Act.TRAINED, number, note, None, Stage.CANDIDATE, kind=kind, parent=parent, sha256=digests
            )
            self._append(line, entry)
        return self.line(name).version(number)

    def report(self, name: str, version: int) -> Mapping[str, Any] | None:
        """The newest replay report of a version, None without one. Raises RegistryError for one that is not
        there, was changed, or is of other files.
        """
        one = self.line(name).version(version)
        return None if not one.report else self._report(one)

    def attach_report(self, name: str, version: int, report: Mapping[str, Any], note: Note) -> str:
        """Keep a replay report beside its version, bound to its files; its fingerprint.

        Raises RegistryError.
        """
        with self._writing():
            line = self.line(name)
            one = line.version(version)
            bound = {"bundle": one.fingerprint, "version": one.spec, "report": dict(report)}
            text = json.dumps(bound, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
            fingerprint = digest(text)
            write_whole(self._report_path(one, fingerprint), text)
            self._append(line, Entry(Act.REPLAYED, version, note, report=fingerprint))
        return fingerprint

    def promote(self, name: str, version: int, note: Note, *, forced: bool = False) -> Version:
        """Put a version in force, in place of the one that is. Without a replay report of just these files it
        must be `forced`, with a reason. Raises RegistryError: nothing has changed.
        """
        with self._writing():
            line = self.line(name)
            one = line.version(version)
            if one.stage is Stage.IN_FORCE:
                raise RegistryError("in_force_already", f"{one.spec} is in force already", model=one.spec)
            self.read(one)
            if forced and not note.why.strip():
                raise RegistryError("no_reason", "a promotion without a replay must say why: add --why")
            report = "" if forced else self._needed_report(one)
            before = line.in_force.version if line.in_force else None
            self._append(
                line, Entry(Act.PROMOTED, version, note, one.stage, Stage.IN_FORCE, before, report, forced)
            )
        return self.line(name).version(version)

    def shadow(self, name: str, version: int, note: Note) -> Version:
        """Have a version score beside the one in force; one that did so becomes a candidate again."""
        with self._writing():
            line = self.line(name)
            one = line.version(version)
            if one.stage in (Stage.IN_FORCE, Stage.SHADOW):
                raise RegistryError("in_stage_already", f"{one.spec} is {one.stage} already", model=one.spec)
            self.read(one)
            self._append(line, Entry(Act.SHADOWED, version, note, one.stage, Stage.SHADOW))
        return self.line(name).version(version)

    def retire(self, name: str, version: int, note: Note) -> Version:
        """Take a version out of use; where it was in force, nothing of its name is any more."""
        with self._writing():
            line = self.line(name)
            one = line.version(version)
            if one.stage is Stage.RETIRED:
                raise RegistryError("in_stage_already", f"{one.spec} is retired already", model=one.spec)
            before = version if one.stage is Stage.IN_FORCE else None
            self._append(line, Entry(Act.RETIRED, version, note, one.stage, Stage.RETIRED, before))
        return self.line(name).version(version)

    def rollback(self, name: str, note: Note, *, to: int | None = None) -> Version | None:
        """Put back in force what was before the version that is, or version `to`; None where nothing was.
        Raises RegistryError where nothing is in force, or that version can't be read.
        """
        with self._writing():
            line = self.line(name)
            if line.in_force is None:
                raise RegistryError(
                    "not_in_force", f"no version of {name} is in force: nothing to roll back", name=name
                )
            number = line.former() if to is None else to
            if number == line.in_force.version:
                raise RegistryError(
                    "in_force_already",
                    f"{line.in_force.spec} is in force already",
                    model=line.in_force.spec,
                )
            one = None if number is None else line.version(number)
            if one is not None:
                if not line.was_in_force(one.version):
                    raise RegistryError(
                        "never_in_force",
                        f"{one.spec} never was in force, so that nothing goes back to it: promote it",
                        model=one.spec,
                    )
                self.read(one)
            start = None if one is None else one.stage
            end = None if one is None else Stage.IN_FORCE
            self._append(line, Entry(Act.ROLLED_BACK, number, note, start, end, line.in_force.version))
        return None if number is None else self.line(name).version(number)

    def stamp(self) -> Hashable:
        """Changes when any journal does: a `stat` for each name. Raises RegistryError without a folder."""
        found = []
        for name in self.names():
            try:
                stat = (self.path / name / JOURNAL).stat()
                found.append((name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
            except OSError as error:
                raise self._unreadable(error) from error
        return tuple(found)

    def stamp_of(self, one: Version) -> Hashable:
        """Changes when a file of a version does: a `stat` for each."""
        found = []
        for file in one.sha256:
            try:
                stat = (self.path / one.name / str(one.version) / file).stat()
                found.append((file, stat.st_ino, stat.st_mtime_ns, stat.st_size))
            except OSError:
                found.append((file, 0, 0, -1))
        return tuple(found)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with locked(self.path):
                yield
        except OSError as error:
            raise RegistryError(
                "not_writable",
                f"the registry {self.path} can't be written: {error.strerror} ({error.filename}); nothing "
                "has changed",
                path=self.path,
                why=error.strerror,
            ) from error

    def _append(self, line: Line, entry: Entry) -> None:
        append_line(self.path / line.name / JOURNAL, line_of(len(line.entries) + 1, entry))

    def _line_or_new(self, name: str) -> Line:
        return self.line(name) if (self.path / name / JOURNAL).exists() else Line(name, (), ())

    def _next(self, name: str, line: Line) -> int:
        """A number that no version has or had: also not one whose folder was made, and nothing more."""
        folders = (int(p.name) for p in (self.path / name).glob("*") if p.name.isdecimal())
        return 1 + max((*(one.version for one in line.versions), *folders), default=0)

    def _journal(self, name: str) -> str:
        parse_spec(name)
        try:
            return (self.path / name / JOURNAL).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError as error:
            self._look()
            known = ", ".join(self.names()) or "no model yet"
            raise RegistryError(
                "no_such_name",
                f"the registry {self.path} has no model {name!r}; it has {known}",
                path=self.path,
                name=name,
                known=", ".join(self.names()) or "-",
            ) from error
        except OSError as error:
            raise self._unreadable(error) from error

    def _needed_report(self, one: Version) -> str:
        if not one.report:
            raise RegistryError(
                "no_report",
                f"{one.spec} was never tried on the plant's past: run `palier model replay {one.spec}` "
                "first, or promote it with --force --why REASON",
                model=one.spec,
            )
        self._report(one)
        return one.report

    def _report(self, one: Version) -> Mapping[str, Any]:
        path = self._report_path(one, one.report)
        try:
            text = path.read_bytes()
        except OSError as error:
            raise RegistryError(
                "report_absent",
                f"the replay report of {one.spec} can't be read: {error.strerror} ({path}); copy it again, "
                f"or run `palier model replay {one.spec}`",
                model=one.spec,
                path=path,
            ) from error
        told = json.loads(text) if digest(text) == one.report else {}
        if told.get("bundle") != one.fingerprint:
            raise RegistryError(
                "report_damaged",
                f"the replay report of {one.spec} was changed, or is of another model: run `palier model "
                f"replay {one.spec}` again",
                model=one.spec,
            )
        content: Mapping[str, Any] = told["report"]
        return content

    def _report_path(self, one: Version, fingerprint: str) -> Path:
        return self.path / one.name / REPORTS / f"{one.version}-{fingerprint[:16]}.json"

    def _look(self) -> None:
        if not self.path.is_dir():
            raise RegistryError(
                "no_registry",
                f"there is no registry at {self.path}: `palier train` makes one, or copy yours there",
                path=self.path,
            )

    def _unreadable(self, error: OSError) -> RegistryError:
        return RegistryError(
            "unreadable",
            f"the registry {self.path} can't be read: {error.strerror}",
            path=self.path,
            why=error.strerror,
        )


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
