"""Checks a whole pack: every problem of it at once, each with its place, so that what loads can also work.

Nothing of a pack is carried out here, and no store is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import definitions as d
from .catalog import Pack
from .check_accounts import check_accounts
from .check_data import check_mappings, check_tests
from .check_decisions import check_decisions
from .check_findings import Findings
from .check_formulas import check_formulas
from .check_limits import check_limits
from .check_postings import check_postings
from .check_records import (
    check_calendars,
    check_manifest,
    check_masters,
    check_measures,
    check_parameters,
    check_records,
)
from .check_reports import check_processes, check_statements
from .check_share_outs import check_share_outs
from .check_sources import check_sources
from .check_states import check_states
from .check_workflows import check_workflows
from .errors import Diagnostic, Place, in_order
from .library import Built, Library
from .model import SCALARS
from .pack_data import lines_of
from .schemas import problems
from .type_relations import UNKNOWN

_BLOCK = re.compile(r"[|>][-+0-9]*$")
CODES = {
    "R200": "an expression cannot be read",
    "R201": "a name leads nowhere",
    "R202": "something is of the wrong type, or belongs to another record",
    "R203": "a value may be none where one is needed",
    "R204": "there is no such function",
    "R205": "a function or key gets other parts than it takes",
    "R206": "a value written out is not one of its type",
    "R207": "a name needs itself",
    "R208": "something that is needed is not given",
    "R209": "a name stands twice",
    "R210": "the database cannot be asked something",
    "R211": "a text names no row that the pack brings",
    "R301": "a state is never reached",
    "R302": "nothing leaves a state that is not final",
    "R303": "a final state is left",
    "R304": "an event could go two ways at once",
    "R305": "what is promised `always` does not hold on every path",
    "R306": "nobody can bring an event about",
    "R307": "a record is created, or a workflow begins, in the wrong place",
    "R309": "it is not said which one of several workflows a record lives by",
    "R308": "a rule about people asks nobody",
    "R401": "two rows hold at once",
    "R402": "a row or key set is never reached",
    "R403": "a row belongs to no key set",
    "R404": "an answer is not complete",
    "R405": "bounds or days leave nothing between them",
    "R406": "what is collected has no order",
    "R407": "no row answers in some case",
    "R408": "days are left out between two rows with the same cells",
    "R409": "something was not proved, for it would take too long or rests on records",
    "R501": "a row does not balance",
    "R502": "an amount is not rounded money",
    "R503": "an amount does more than add and subtract",
    "R504": "a rule of accounting has no source",
    "R505": "there is no ledger to post to",
    "R506": "a source leads nowhere",
    "R507": "a choice is passed over by the rows of a posting",
    "R508": "an account key has no account",
    "R509": "two rows of a posting write the same entry",
}

CHECKS: tuple[Callable[[Findings], None], ...] = (
    check_manifest,
    check_records,
    check_masters,
    check_parameters,
    check_measures,
    check_calendars,
    check_workflows,
    check_states,
    check_decisions,
    check_formulas,
    check_share_outs,
    check_limits,
    check_postings,
    check_accounts,
    check_processes,
    check_statements,
    check_mappings,
    check_tests,
)


def check(pack: Pack, folder: Path | None = None) -> list[Diagnostic]:
    """Give every problem of a pack, in order; `folder` is where its own sources (`notes.md#section`) are named from.

    A document that its schema has something against is not looked at further, but others may still refer to it.
    """
    by_schema = {(doc.kind, doc.name): problems(doc) for doc in pack.documents}
    broken = frozenset(key for key, found in by_schema.items() if found)
    told = [diagnostic for found in by_schema.values() for diagnostic in found]
    if any(kind == "pack" for kind, _ in broken):
        return in_order(told)
    whole: Any = pack  # its attributes are read-only, which the protocol of a library does not say
    findings = Findings(pack, _Lenient(whole, broken=broken), broken, told)
    for each in CHECKS:
        each(findings)
    check_sources(findings, folder)
    lines = lines_of(pack.files)
    return in_order(_where_it_stands(diagnostic, lines) for diagnostic in findings.found)


def _where_it_stands(diagnostic: Diagnostic, lines: Mapping[str, list[str]]) -> Diagnostic:
    """Bring a place behind the end of its line, in a text that goes on below, to the line where it stands."""
    place, written = diagnostic.place, lines.get(diagnostic.place.file, [])
    line, column = place.line, place.column
    is_block = 1 < line <= len(written) and _BLOCK.search(written[line - 2])
    while 0 < line < len(written) and column > len(written[line - 1]) + 1:
        indent = len(written[line]) - len(written[line].lstrip())
        if is_block:  # what is indented further than the first line belongs to the text
            indent = min(indent, len(written[place.line - 1]) - len(written[place.line - 1].lstrip()))
        line, column = line + 1, column - len(written[line - 1]) - 1 + indent
    return replace(diagnostic, place=Place(place.file, line, column)) if line != place.line else diagnostic


@dataclass
class _Lenient(Library):
    """A library in which a broken document gives as much as can be read of it."""

    broken: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    _records: dict[str, d.Record | None] = field(default_factory=dict)

    def record(self, name: str) -> d.Record | None:
        """A record type in which what has an error is taken for right, so that one mistake is told once."""
        if name not in self._records:
            found = super().record(name)
            self._records[name] = found and replace(
                found, fields={n: self._known(name, f) for n, f in found.fields.items()}, workflows=self._flows(found)
            )
        return self._records[name]

    def _known(self, record: str, f: d.Field) -> d.Field:
        """A field, of no known type where it is wrong; what need not be given still need not."""
        if not self._is_wrong(record, f):
            return f
        return replace(f, type=UNKNOWN, default="none" if f.type.optional else f.default)

    def _is_wrong(self, record: str, f: d.Field) -> bool:
        """Whether a field refers to nothing, or does not say its type as it should."""
        if f.type.kind == "ref":
            return f.type.of not in ("entry", "voucher") and self.pack.find("record", f.type.of) is None
        document = self.pack.find("record", record) if ("record", record) in self.broken else None
        said = document.body.get("fields", {}).get(f.name) if document else None
        return isinstance(said, dict) and (said.get("type") not in SCALARS if "one_of" not in said else False)

    def _flows(self, record: d.Record) -> tuple[str, ...]:
        """Its workflows; for one that is not there, one that is said to be of it and that it does not name."""
        of_it = [doc.name for doc in self.pack.all("workflow") if doc.body.get("of") == record.name]
        unnamed = iter([name for name in of_it if name not in record.workflows])
        named = [n if self.pack.find("workflow", n) else next(unnamed, n) for n in record.workflows]
        return (*named, *unnamed)

    def _get(self, kind: str, name: str, build: Callable[[Any], Built]) -> Built | None:
        try:
            return super()._get(kind, name, build)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            if (kind, name) not in self.broken:
                raise
            return None
