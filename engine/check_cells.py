"""Checks the cells of a `when`: their names, whether their constants fit, and whether they can hold at all."""

from __future__ import annotations

from collections.abc import Mapping

from . import definitions as d
from .check_constants import Region, is_void, region
from .check_findings import ACCOUNT_KEY, Findings, mark, mark_key
from .definitions import Element
from .expression_scopes import Scope
from .model import Parts, Type
from .source import did_you_mean
from .type_relations import ORDERED


def check_cells(
    f: Findings, e: Element, scope: Scope, key: str = "when", read: tuple[Scope, Mapping[Parts, Parts]] | None = None
) -> dict[Parts, Region]:
    """Report what is wrong with the cells under `key`; gives the regions of those that are right.

    `read` says what is behind names that are short for paths: the scope of these, and the paths.
    """
    found: dict[Parts, Region] = {}
    for (name, inner), cell in zip(e.pairs(key), d.build_cells(e, key), strict=True):
        type_ = f.path_named(name, mark_key(inner)[0], scope)
        if type_ is not None and _can_stand(f, inner, name, type_) and _fits(f, inner, cell, type_):
            known = region(cell, type_.given())
            if known is not None and is_void(known):
                f.say("R405", f"no value of `{name}` lies between these bounds", mark(inner))
            elif known is not None:
                found[cell.path] = known
                _check_possible(f, inner, cell, type_)
                around, path = (read[0], read[1].get(cell.path, cell.path)) if read else (scope, cell.path)
                _check_known(f, inner, cell, _record_named(f, around, path, type_))
    return found


def _check_possible(f: Findings, e: Element, cell: d.Cell, type_: Type) -> None:
    """A text that is worked out by cases has only the values that these name; an account key is one of the ledger's."""
    ledger, possible = f.library.manifest.ledger, type_.choices if type_.kind == "text" else ()
    for one in each_of(e) if cell.values else ():
        if possible and one.value not in possible:
            hint = did_you_mean(str(one.value), possible) or f"it is {' or '.join(possible)}"
            f.say("R206", f"`{'.'.join(cell.path)}` is never `{one.value}`", mark(one), hint)
        elif ledger and type_.kind == "text" and cell.path[-1] == ACCOUNT_KEY:
            f.account_key(str(one.value), mark(one), ledger)


def each_of(e: Element) -> list[Element]:
    """The values of a cell, one or several."""
    return [e.at(index) for index in range(len(e.value))] if isinstance(e.value, list) else [e]


def _record_named(f: Findings, scope: Scope, path: Parts, type_: Type) -> str:
    """The record type that the values of a cell name: by a reference, or by the text that is its whole key."""
    if type_.kind == "ref":
        return type_.of
    above = scope.type_of(path[:-1]) if type_.kind == "text" and len(path) > 1 else None
    record = f.library.record(above.of) if above and above.kind == "ref" else None
    return record.name if record and record.key == (path[-1],) else ""


def _check_known(f: Findings, e: Element, cell: d.Cell, record: str) -> None:
    if record and cell.values:
        for one in each_of(e):
            f.known(one, record)


def _can_stand(f: Findings, e: Element, name: str, type_: Type) -> bool:
    if type_.kind in ("list", "group"):
        f.say("R202", f"`{name}` is not one value", mark_key(e), "name a value of it in a `let` first")
    return type_.kind not in ("list", "group", "unknown")


def _fits(f: Findings, e: Element, cell: d.Cell, type_: Type) -> bool:
    if cell.empty is not None:
        return True
    if isinstance(e.value, list):
        fit = [f.constant(e.at(index), type_) for index in range(len(e.value))]
        return all(fit)
    if not isinstance(e.value, dict):
        return f.constant(e, type_)
    if type_.kind not in ORDERED:
        f.say("R202", f"`{'.'.join(cell.path)}` is {type_.given()}, which has no order", mark_key(e))
        return False
    fit = [f.constant(e.at(name), type_) for name in d.BOUNDS if e.has(name)]
    return all(fit)
