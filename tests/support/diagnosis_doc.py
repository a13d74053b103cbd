"""The tables of docs/diagnosis.md, written from the rules themselves."""

from __future__ import annotations

from models.diagnosis import RULES
from models.diagnosis.faults import evidence_keys
from models.diagnosis.rules import Clause, Of, Role, Rule
from palier.locale import Catalogue

WORDS = Catalogue("en")


def clause_text(clause: Clause) -> str:
    """`share_1x` ≥ 0.7 or `step` ≥ 1.5 (0.3)."""
    signs = []
    for sign in clause.signs:
        rises = sign.full >= sign.limit
        features = sign.measure.features if isinstance(sign.measure, Of) else ()
        of = f" of {', '.join(f'`{name}`' for name in features)}" if features else ""
        signs.append(f"`{sign.key}`{of} {'≥' if rises else '≤'} {sign.limit:g}")
    instead = ", ".join(WORDS.text(f"fault.{fault}") for fault in clause.instead)
    return f"{' or '.join(dict.fromkeys(signs))} ({clause.weight:g})" + (f": {instead}" if instead else "")


def cell(rule: Rule, role: Role) -> str:
    """All clauses of one role."""
    return "<br>".join(clause_text(c) for c in rule.clauses if c.role is role) or "–"


def fault_rows() -> list[str]:
    """One row of the table for each fault."""
    return [
        f"| {WORDS.text(f'fault.{r.fault}')} | {cell(r, Role.NEEDED)} | {cell(r, Role.SUPPORTS)} | "
        f"{cell(r, Role.EXCLUDES)} | {alike(r)} | {r.source} |"
        for r in RULES
    ]


def alike(rule: Rule) -> str:
    """What looks the same, and what tells it apart or confirms it."""
    pairs = [f"{WORDS.text(f'fault.{look.fault}')}: {measures(look.by)}" for look in rule.look_alikes]
    return "<br>".join([*pairs, f"confirm: {measures(rule.confirm)}"])


def measures(keys: tuple[str, ...]) -> str:
    """Names of measurements."""
    return "; ".join(WORDS.text(f"confirm.{key}") for key in keys)


def evidence_rows() -> list[str]:
    """One row for each piece of evidence: its key, and its sentence."""
    sentences = WORDS.table("evidence")
    return [f"| `{key}` | {sentences[key]} |" for key in sorted(evidence_keys())]
