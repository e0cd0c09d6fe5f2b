"""Checks postings: every name of the ledger exists, every account is found, every amount is rounded money.

That they balance is proved in `check_balance`, that they pass no option over in `check_options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import definitions as d
from .check_balance import BalanceRow, addends, balance_row, check_balance
from .check_cells import check_cells
from .check_decisions import input_types
from .check_findings import Findings, list_elements, mark, mark_key
from .check_formulas import check_named
from .check_options import check_options, check_twice
from .check_workflows import check_requirements
from .definitions import Element
from .errors import Place
from .expression_types import check
from .expressions import Constant, Node, Path, parse
from .model import DATE, TEXT, Type
from .scopes import NO_RECORD, ElementNames, Names, element_names, posting_names


def check_postings(f: Findings) -> None:
    ledger = f.library.manifest.ledger
    for e in f.elements("posting"):
        record = f.record(e.at("of"))
        posting = f.library.posting(e.source.name)
        if ledger is None:
            f.say("R505", "the pack has no `ledger`, so nothing can be posted", mark_key(e.at("voucher")))
        elif record is not None and posting is not None:
            names = posting_names(f.library, record, posting)
            _check_voucher(f, e.at("voucher"), names, ledger)
            _check_accounts(f, e, names, ledger)
            check_named(f, e, names)
            f.message(e.at("otherwise").at("error"), names)
            rows = [_check_row(f, row, names, ledger, i) for i, row in enumerate(e.items("rows"))]
            check_balance(f, rows)
            check_options(f, e, rows)
            check_twice(f, rows)
            _check_sources(f, e)


def _check_voucher(f: Findings, e: Element, names: Names, ledger: d.Ledger) -> None:
    if e.word("series") not in ledger.series:
        f.unknown("series", e.word("series"), mark(e.at("series")), ledger.series)
    f.expression(e.at("date"), names, DATE)
    f.expression(e.at("company"), names, Type("ref", of=ledger.company))
    f.expression(e.at("currency"), names, TEXT)
    _check_dimensions(f, e, names, ledger)


def _check_dimensions(f: Findings, e: Element, names: Names, ledger: d.Ledger) -> None:
    for name, inner in e.pairs("dimensions"):
        if name in ledger.dimensions:
            f.expression(inner, names, ledger.dimensions[name].type.or_none())
        else:
            f.unknown("dimension", name, mark_key(inner), ledger.dimensions)


# --- accounts ---


def _check_accounts(f: Findings, e: Element, names: Names, ledger: d.Ledger) -> None:
    """The account decision gets its inputs: handed over, or read by their names from whatever record is posted."""
    decision = f.library.decision(ledger.account)
    if decision is None:
        return
    of = f.library.record(decision.of) if decision.of else NO_RECORD
    types = input_types(f.library, decision, of or NO_RECORD)
    fields = {n: d.Field(n, type_) for n, type_ in types.items() if n != "account_key"}
    taker = f"the account decision `{decision.name}`"
    handed = f.given(e, "account_by", fields, names, taker)
    for row in e.items("rows"):
        inside = _inside(f, row, names)
        if inside is None:
            continue
        more = handed | f.given(row, "account_by", fields, inside, taker)
        each = [more | f.given(entry, "account_by", fields, inside, taker) for entry in row.items("entries")]
        read = {n: text for n, text in decision.inputs.items() if any(n not in given for given in each)}
        if decision.of == inside.record.name:
            # What it reads from its own record is looked at where it is declared.
            read = {n: text for n, text in read.items() if n in decision.input_types}
        _check_read(f, row.at("for_each") if inside is not names else e.at("of"), inside, read)


def _check_read(f: Findings, e: Element, inside: Names, read: Mapping[str, d.Text]) -> None:
    outputs = inside.further if isinstance(inside, ElementNames) else {}
    asking = Names(f.library, inside.record, further={**outputs, "account_key": TEXT})
    for name, text in read.items():
        errors = check(parse(text.text), asking)[1] if f.parsed(Element(e.source, e.path, text.text)) else []
        if errors:
            of = f"`{inside.record.name}`" if inside.record.name else "these answers"
            said = f"the account decision cannot read its input `{name}` from {of}: {errors[0].message}"
            if not any(x.message == said and x.place == e.place for x in f.found):
                f.say("R202", said, mark(e), f"hand it over: `account_by: {{{name}: …}}`")


# --- rows ---


def _check_row(f: Findings, e: Element, names: Names, ledger: d.Ledger, index: int) -> BalanceRow | None:
    """What a row contributes to the balance; None where something is wrong in it, which is told."""
    told = len(f.found)
    inside = _inside(f, e, names)
    if inside is None:
        list_elements(f, e.at("for_each"), names)
        return None
    if inside is not names:
        check_named(f, e, inside)
        _check_sources(f, e)
    regions = check_cells(f, e, inside)
    _check_dimensions(f, e, inside, ledger)
    check_requirements(f, e, "require", inside)
    terms: list[tuple[str, int]] = []
    for entry in e.items("entries"):
        terms += _check_entry(f, entry, inside, ledger)
    return balance_row(e, index, inside, regions, terms) if len(f.found) == told else None


def _inside(f: Findings, e: Element, names: Names) -> Names | None:
    """What the entries of a row see: the names of the posting or, for each element of a list, the element's first."""
    if not e.has("for_each"):
        return names
    return element_names(names, d.dotted(e.word("for_each")), e.texts("let"), d.build_uses(e))


def _check_entry(f: Findings, e: Element, names: Names, ledger: d.Ledger) -> list[tuple[str, int]]:
    """The names that an entry adds to the debits and takes from them."""
    side = "debit" if e.has("debit") else "credit"
    if e.word(side) not in ledger.account_keys:
        f.unknown("account key", e.word(side), mark(e.at(side)), ledger.account_keys, "ledger: account_keys")
    _check_dimensions(f, e, names, ledger)
    node = f.parsed(e.at("amount"))
    terms = [t for part in addends(node) for t in _term(f, e.at("amount"), part, names)] if node else []
    return [(name, sign if side == "debit" else -sign) for name, sign in terms]


def _term(f: Findings, e: Element, part: tuple[Node, int], names: Names) -> Iterator[tuple[str, int]]:
    node, sign = part
    start = e.place.column + node.start
    where = (Place(e.place.file, e.place.line, start), node.end - node.start)
    if isinstance(node, Constant | Path):
        type_, errors = check(node, names)
        f.errors(errors, e.place)
        if errors or type_.kind == "unknown":
            return
    if not isinstance(node, Path):
        f.say("R503", "an amount only adds and subtracts names", where, "name this in a `let`, which rounds it")
    elif type_.kind != "money":
        f.say("R502", f"`{'.'.join(node.parts)}` is a {type_}, which is not rounded money", where, _ROUNDED)
    elif type_.optional:
        f.say("R203", f"`{'.'.join(node.parts)}` may be none", where, "say in a `let` what holds then")
    else:
        yield ".".join(node.parts), sign


_ROUNDED = "a price times a quantity is money: name it in `let`"


# --- sources ---


def _check_sources(f: Findings, e: Element) -> None:
    """A rule of accounting says where it comes from: the posting, as its schema demands, and the decisions it uses."""
    for name, inner in e.pairs("decide"):
        asked = inner.word("decision") if isinstance(inner.value, dict) else str(inner.value)
        document = f.pack.find("decision", asked)
        if document is not None and "source" not in document.body:
            f.say("R504", f"decision `{asked}`, which this posting uses as `{name}`, has no `source`", mark_key(inner),
                  "say which rule it follows: `source: FILE.md#section`")  # fmt: skip
