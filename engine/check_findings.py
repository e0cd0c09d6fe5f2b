"""Gathers what is wrong with a pack: names that lead nowhere, expressions without a type, constants that do not fit.

What has to be looked at is decided by the other `check_` modules; they all speak through `Findings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, column

from . import definitions as d
from .catalog import Pack
from .check_constants import constant, wanted_form
from .definitions import Element
from .errors import ERROR, NOTE, NOWHERE, WARNING, Diagnostic, Place
from .expression_scopes import Scope
from .expression_sql import sql_expression
from .expression_types import check as check_type
from .expression_types import check_as as check_type_as
from .expressions import (
    COMPARISONS,
    Binary,
    Constant,
    ExpressionError,
    In,
    Node,
    Path,
    children,
    diagnose,
    parse,
    parse_template,
    paths,
    walk,
)
from .library import Library
from .model import Parts, Type
from .scopes import ElementNames, Inner, Names, element_names
from .source import did_you_mean
from .type_relations import UNKNOWN

Mark: TypeAlias = tuple[Place, int]

UNREADABLE = "R200"
ACCOUNT_KEY = "account_key"  # what an entry, the account decision, and who asks it call the key of an account


def mark(e: Element) -> Mark:
    """Where a value stands, and how many characters of it are underlined."""
    text = e.value if isinstance(e.value, str) and "\n" not in e.value else " "
    return e.place, max(1, len(text))


def list_elements(f: Findings, e: Element, names: Names) -> ElementNames | None:
    """The names of one element of the list at a path; None, and a problem, where there is no such list."""
    told = len(f.found)
    found = element_names(names, d.dotted(str(e.value)))
    if found is None:
        f.path_to(e, names, "a list", "list")
        if len(f.found) == told:
            f.say("R202", f"`{e.value}` is no list of records or answers", mark(e))
    return found


def mark_key(e: Element) -> Mark:
    """Where the key of a value stands."""
    source: Any = e.source
    return source.key_places.get(e.path, e.place), len(str(e.path[-1])) if e.path else 1


@dataclass(frozen=True, slots=True)
class Asked:
    """The columns of a record type by their types alone, to see whether an expression can be put to a database.

    `given` are names whose values are put in; `along` says whether also what is behind these.
    """

    library: Library
    record: d.Record
    given: Names | None = None
    along: bool = False

    def column(self, path: Parts) -> tuple[ColumnElement[Any], Type] | None:
        type_ = self.library.along(Type("ref", of=self.record.name), tuple(path))
        if type_ is not None:
            return None if type_.kind in ("list", "group") else (column(path[-1]), type_)
        named = path[1:] if path[0] == "this" else path
        if self.given is None or not named or named[0] not in self.given.taken or (named[1:] and not self.along):
            return None
        return column(path[-1]), self.given.type_of(path) or UNKNOWN


@dataclass
class Findings:
    """The problems found so far, and the pack and library that they are found in.

    `right` are conditions, each with its record type, that nothing was found wrong with.
    """

    pack: Pack
    library: Library
    broken: frozenset[tuple[str, str]] = frozenset()
    found: list[Diagnostic] = field(default_factory=list)
    right: set[tuple[str, str]] = field(default_factory=set)
    _events: dict[str, dict[str, list[d.Transition]]] = field(default_factory=dict)

    def say(self, code: str, message: str, where: Mark, hint: str = "", severity: str = ERROR) -> None:
        self.found.append(Diagnostic(code, message, where[0], where[1], hint, severity))

    def not_proved(self, what: str, why: str, where: Mark) -> None:
        """Say what was left open; a pack is no worse for it."""
        self.say("R409", f"not proved {what}", where, why, NOTE)

    def unknown(self, what: str, name: str, where: Mark, names: Iterable[str], declared: str = "") -> None:
        """`declared` says where such names are declared; it is said where none is near."""
        near = did_you_mean(name, names) or (f"declare it under `{declared}` of pack.yaml" if declared else "")
        self.say("R201", f"unknown {what} `{name}`", where, near)

    # --- documents ---

    def elements(self, kind: str, broken: bool = False) -> Iterator[Element]:
        """The documents of a kind that their schema has nothing against, or all of them."""
        for document in self.pack.all(kind):
            if broken or (kind, document.name) not in self.broken:
                source: Any = document
                yield Element(source, (), document.body)

    def names_of(self, *kinds: str) -> list[str]:
        return [document.name for kind in kinds for document in self.pack.all(kind)]

    def record(self, e: Element, ledger: bool = False) -> d.Record | None:
        """The record type that a value names; the ledger's own only where they may stand."""
        name = e.value
        if not isinstance(name, str):
            return None
        found = self.library.record(name) if ledger or name not in ("entry", "voucher") else None
        if found is None and not self.pack.find("record", name):
            self.unknown("record", name, mark(e), [*self.names_of("record"), *(("entry", "voucher") if ledger else ())])
        return found

    def events(self, record: d.Record) -> dict[str, list[d.Transition]]:
        """The transitions of each event of a record type."""
        if record.name not in self._events:
            found: dict[str, list[d.Transition]] = {}
            for flow in self.library.workflows_of(record):
                for transition in flow.transitions:
                    found.setdefault(transition.event, []).append(transition)
            self._events[record.name] = found
        return self._events[record.name]

    def event(self, e: Element, record: d.Record) -> list[d.Transition]:
        """The transitions of the event that a value names."""
        events = self.events(record)
        if isinstance(e.value, str) and e.value not in events:
            self.unknown("event", e.value, mark(e), events)
        return events.get(str(e.value), [])

    def takes(self, record: d.Record, transitions: Iterable[d.Transition]) -> dict[str, d.Field]:
        """What the transitions of an event take together."""
        taken: dict[str, d.Field] = {}
        for transition in transitions:
            taken |= self.library.taken(record, transition)
        return taken

    @cached_property
    def role_names(self) -> list[str]:
        return list(self.library.manifest.roles)

    # --- rows that the pack brings ---

    def known(self, e: Element, record: str) -> None:
        """Warn of a value that names no master row of a record type of which the pack brings some."""
        keys = self.master_keys.get(record)
        if keys and isinstance(e.value, str) and e.value not in keys:
            hint = did_you_mean(e.value, keys) or "such a record would have to be made by hand"
            self.say("R211", f"`{e.value}` is no row of `master: {record}`", mark(e), hint, WARNING)

    @cached_property
    def master_keys(self) -> dict[str, set[str]]:
        """The keys of master rows, by record type."""
        found: dict[str, set[str]] = {}
        for e in self.elements("master"):
            record = self.library.record(e.source.name)
            if record and record.key:
                keys = {"/".join(row.word(name) for name in record.key) for row in e.items("rows")}
                found.setdefault(e.source.name, set()).update(keys)
        return found

    # --- types ---

    def fields(self, e: Element, key: str, looked_up: bool = False) -> None:
        """Declared fields: their references exist and their defaults fit."""
        for name, inner in e.pairs(key):
            self.declared(inner, d.build_field(name, inner).type, looked_up)

    def declared(self, e: Element, type_: Type, looked_up: bool = False) -> None:
        """One of them; `looked_up` says that a default is read as a key, as what people give is."""
        if e.has("ref"):
            self.record(e.at("ref"), ledger=True)
        if not e.has("default"):
            return
        if type_.kind == "ref" and not looked_up:
            said = f"`{e.word('default')}` cannot be given by itself: no record need be there by that key"
            self.say("R206", said, mark(e.at("default")), "a reference has no default; `set` it, or make it `optional`")
        else:
            self.constant(e.at("default"), type_)

    def path(self, e: Element, scope: Scope) -> Type | None:
        """The type at the end of a dotted path; None, and a problem, where it leads nowhere."""
        return self.path_named(str(e.value), mark(e)[0], scope) if isinstance(e.value, str) else None

    def path_named(self, text: str, place: Place, scope: Scope) -> Type | None:
        parts = d.dotted(text)
        found = scope.type_of(parts)
        if found is not None:
            return found
        known = next((n for n in range(len(parts)) if scope.type_of(parts[: n + 1]) is None), len(parts) - 1)
        start = sum(len(part) + 1 for part in parts[:known])
        where = (Place(place.file, place.line, place.column + start), len(parts[known]))
        of = f" of `{'.'.join(parts[:known])}`" if known else ""
        self.say(
            "R201", f"unknown name `{parts[known]}`{of}", where, did_you_mean(parts[known], scope.names(parts[:known]))
        )
        return None

    def path_to(self, e: Element, scope: Scope, wanted: str, *kinds: str, of: str = "") -> Type | None:
        """The same, where the path must end at a value of one of the kinds (a reference to `of`)."""
        found = self.path(e, scope)
        if found is None or found.kind == "unknown":
            return None
        if found.kind not in kinds or (of and found.of != of):
            self.say("R202", f"`{e.value}` is {found.given()}, not {wanted}", mark(e))
            return None
        return found

    def expression(self, e: Element, scope: Scope, wanted: Type | None = None) -> Type:
        """The type of an expression, every problem of it reported."""
        node = self.parsed(e)
        if node is None:
            return UNKNOWN
        if wanted is None or not self._is_known(wanted):
            type_, errors = check_type(node, scope)
        else:
            type_, errors = check_type_as(node, scope, wanted)
        self.errors(errors, e.place)
        if ACCOUNT_KEY in str(e.value) and not errors:
            self.account_keys_in(node, e.place)
        return UNKNOWN if errors else type_

    def account_keys_in(self, node: Node, place: Place) -> None:
        """An account key is a text: whether there is one as it is compared with, only the ledger says."""
        for each in walk(node) if self.library.manifest.ledger else ():
            sides = children(each) if isinstance(each, Binary | In) else ()
            if any(isinstance(side, Path) and side.parts[-1] == ACCOUNT_KEY for side in sides):
                for side in sides:
                    if isinstance(side, Constant) and isinstance(side.value, str):
                        where = Place(place.file, place.line, place.column + side.start)
                        self.account_key(side.value, (where, side.end - side.start), self.library.manifest.ledger)

    def account_key(self, name: str, where: Mark, ledger: d.Ledger | None) -> None:
        if ledger and name not in ledger.account_keys:
            self.unknown("account key", name, where, ledger.account_keys, "ledger: account_keys")

    def condition(self, e: Element, scope: Scope) -> None:
        self.expression(e, scope, Type("yes_or_no"))

    def picks(self, e: Element, record: d.Record) -> None:
        """A condition on records of a type by themselves. What was right once is right wherever else it is said."""
        known = (record.name, str(e.value))
        if known not in self.right:
            before = len(self.found)
            self.condition(e, Names(self.library, record))
            if len(self.found) == before:
                self.right.add(known)

    def filter(self, e: Element, record: d.Record, given: Names | None = None, along: bool = False) -> None:
        """A condition on records that the database is asked, which does not know all that Python does.

        `given` are names whose values are put into it; with `along` those of the records that they refer to as well.
        """
        before = len(self.found)
        names = Names(self.library, record)
        if given is None:
            self.condition(e, names)
        else:
            self.looked_through(e, record, given)
        node = self.parsed(e) if len(self.found) == before else None
        if node is not None:
            self.asked(e, lambda: sql_expression(node, Asked(self.library, record, given, along)))

    def looked_through(self, e: Element, record: d.Record, asking: Names) -> None:
        """A condition on records that somebody looks through, who has names of their own."""
        self.condition(e, Inner(Names(self.library, record), asking))
        declared = {
            *asking.lets,
            *asking.finds,
            *asking.uses,
            *(n for n in asking.taken if n not in asking.record.fields),
        }
        try:
            node = parse(str(e.value))
        except ExpressionError:
            return  # which is told
        used = list(_ambiguous(node))
        told_apart = {path.parts[1] for path in paths(node) if path.parts[0] == "this" and len(path.parts) > 1}
        for name in sorted((declared & record.fields.keys()) - told_apart):
            path = next((path for path in used if path.parts[0] == name), None)
            if path is not None:
                said = f"`{name}` is the field of `{record.name}` here, not what has that name outside"
                hint = f"write `this.{name}` for that one, or call it otherwise"
                hidden = ExpressionError(said, path.start, len(name), hint, "R209")
                self.found.append(replace(diagnose(hidden, e.place), severity=WARNING))

    def asked(self, e: Element, ask: Callable[[], object]) -> None:
        """Report what cannot be put to the database."""
        try:
            ask()
        except ExpressionError as error:
            self.errors([error], e.place)

    def message(self, e: Element, scope: Scope) -> None:
        """A text with expressions in braces, which may be none."""
        if not isinstance(e.value, str):
            return
        try:
            parts = parse_template(e.value)
        except ExpressionError as error:
            self.found.append(replace(diagnose(error, e.place), code=UNREADABLE))
            return
        for part in parts:
            if not isinstance(part, str):
                self.errors(check_type(part, scope)[1], e.place)

    def parsed(self, e: Element) -> Node | None:
        if not isinstance(e.value, str):
            return None
        try:
            return parse(e.value)
        except ExpressionError as error:
            self.found.append(replace(diagnose(error, e.place), code=UNREADABLE))
            return None

    def errors(self, errors: Iterable[ExpressionError], place: Place) -> None:
        self.found += [diagnose(error, place) for error in errors]

    def _is_known(self, type_: Type) -> bool:
        return type_.kind != "unknown" and (type_.kind != "ref" or self.library.record(type_.of) is not None)

    def constant(self, e: Element, type_: Type, none: bool = False) -> bool:
        """Whether a value written out is one of the type; `none` says that the word none may stand for no value."""
        text = e.value
        if not isinstance(text, str) or not self._is_known(type_) or (none and text == "none"):
            return True
        if constant(type_, text) is not None:
            return True
        hint = did_you_mean(text, type_.choices) if type_.kind == "choice" else ""
        self.say("R206", f"`{text}` is not {wanted_form(type_)}", mark(e), hint)
        return False

    # --- values given to what takes them ---

    def given(self, e: Element, key: str, fields: Mapping[str, d.Field], scope: Scope, taker: str) -> set[str]:
        """Expressions under the names of what is taken; gives the names."""
        for name, inner in e.pairs(key):
            if self.is_taken(inner, fields, taker):
                type_ = self.expression(inner, scope, fields[name].type)
                for text in type_.choices if name == ACCOUNT_KEY and type_.kind == "text" else ():
                    self.account_key(text, mark(inner), self.library.manifest.ledger)
        return {name for name, _ in e.pairs(key)}

    def constants(self, e: Element, fields: Mapping[str, d.Field], taker: str, none: bool = False) -> set[str]:
        """The same with values written out; `e` is the map itself, `none` says that it may hold the word none."""
        inner = {str(name): e.at(name) for name in e.value} if isinstance(e.value, dict) else {}
        for name, each in inner.items():
            if self.is_taken(each, fields, taker):
                type_ = fields[name].type
                self.constant(each, type_, none and type_.optional)
        return set(inner)

    def is_taken(self, e: Element, fields: Mapping[str, d.Field], taker: str) -> bool:
        name = str(e.path[-1])
        if name not in fields:
            self.say("R201", f"{taker} does not take `{name}`", mark_key(e), did_you_mean(name, fields))
        return name in fields

    def needed(self, fields: Mapping[str, d.Field], given: Iterable[str], where: Mark, taker: str) -> None:
        missing = [f"`{name}`" for name, each in fields.items() if each.needed and name not in given]
        if missing:
            self.say("R208", f"{taker} needs {' and '.join(missing)}", where)

    # --- names that need each other ---

    def named(self, e: Element, key: str, scope: Scope) -> None:
        """Expressions under names of their own (`let`, `steps`)."""
        for _, inner in e.pairs(key):
            self.expression(inner, scope)

    def circles(self, texts: Mapping[str, list[Element]], names: Names) -> None:
        """Report names that need themselves, each circle once."""
        graph = {name: self._needs(inner, texts, names) for name, inner in texts.items()}
        while circle := _circle(graph):
            first = min(circle, key=list(texts).index)
            start = circle.index(first)
            around = [*circle[start:], *circle[:start], first]
            where = mark_key(texts[first][0]) if texts[first] else (NOWHERE, 1)
            self.say("R207", f"`{first}` needs itself: {' needs '.join(around)}", where)
            graph = {name: needs - set(circle) for name, needs in graph.items() if name not in circle}

    def _needs(self, elements: Iterable[Element], texts: Mapping[str, list[Element]], names: Names) -> set[str]:
        needed: set[str] = set()
        for e in elements:
            try:
                node = parse(e.value) if isinstance(e.value, str) else None
            except ExpressionError:
                continue
            needed |= {path.parts[0] for path in paths(node) if path.parts[0] in texts} if node else set()
        return needed


def _ambiguous(node: Node) -> Iterator[Path]:
    """The paths of a condition but for those compared with what is said to be outside, by `this`."""
    if isinstance(node, Binary) and node.operator in COMPARISONS:
        sides = (node.left, node.right)
        if any(isinstance(side, Path) and side.parts[0] == "this" for side in sides):
            return
    if isinstance(node, Path):
        yield node
    for inner in children(node):
        yield from _ambiguous(inner)


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])[:0:-1]
    return []
