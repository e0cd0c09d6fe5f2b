"""Checks postings: every name of the ledger exists, every amount is rounded money, and every row balances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import definitions as d
from .check_cells import check_cells
from .check_decisions import asking_names
from .check_findings import Findings, mark, mark_key
from .check_formulas import check_named
from .check_workflows import check_requirements
from .definitions import Element
from .errors import Place
from .expression_types import check
from .expressions import Binary, Constant, ExpressionError, Node, Path, Unary, parse
from .model import DATE, TEXT, Type
from .scopes import Inner, Names, posting_names


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
            _check_account(f, e, record, ledger)
            check_named(f, e, names)
            f.message(e.at("otherwise").at("error"), names)
            for row in e.items("rows"):
                _check_row(f, row, names, ledger)
            _check_sources(f, e)


def _check_voucher(f: Findings, e: Element, names: Names, ledger: d.Ledger) -> None:
    if e.word("series") not in ledger.series:
        f.unknown("series", e.word("series"), mark(e.at("series")), ledger.series)
    f.expression(e.at("date"), names, DATE)
    f.expression(e.at("company"), names, Type("ref", of=ledger.company))
    f.expression(e.at("currency"), names, TEXT)
    _check_dimensions(f, e, names, ledger)


def _check_dimensions(f: Findings, e: Element, names: Names | Inner, ledger: d.Ledger) -> None:
    for name, inner in e.pairs("dimensions"):
        if name in ledger.dimensions:
            f.expression(inner, names, ledger.dimensions[name].type.or_none())
        else:
            f.unknown("dimension", name, mark_key(inner), ledger.dimensions)


def _check_account(f: Findings, e: Element, record: d.Record, ledger: d.Ledger) -> None:
    """The account decision reads its inputs from whatever record is posted."""
    decision = f.library.decision(ledger.account)
    if decision is None or decision.of == record.name:
        return
    names = asking_names(f.library, decision, record)
    for name, text in decision.inputs.items():
        errors = check(parse(text.text), names)[1] if f.parsed(_at(e, text)) else []
        if errors:
            said = f"the account decision cannot read its input `{name}` from `{record.name}`: {errors[0].message}"
            f.say("R202", said, mark(e.at("of")))


def _at(e: Element, text: d.Text) -> Element:
    return Element(e.source, ("of",), text.text)


# --- rows ---


def _check_row(f: Findings, e: Element, names: Names, ledger: d.Ledger) -> None:
    check_cells(f, e, names)
    inside = _each(f, e, names)
    _check_dimensions(f, e, inside, ledger)
    check_requirements(f, e, "require", names)
    terms: list[tuple[str, int]] = []
    is_sound = True
    for entry in e.items("entries"):
        found = _check_entry(f, entry, inside, ledger)
        is_sound = is_sound and found is not None
        terms += found or []
    difference = _sum(terms)
    is_proved = inside is names and not _sum(_written_out(difference, names))
    if is_sound and difference and not is_proved:
        said = f"this row does not balance: debits - credits = {_shown(difference)}"
        f.say("R501", said, mark(e.at("name")) if e.has("name") else mark(e))


def _each(f: Findings, e: Element, names: Names) -> Names | Inner:
    """What the entries of a row see: the names of the posting or, for each child, the child's first."""
    found = f.path_to(e.at("for_each"), names, "a list", "list") if e.has("for_each") else None
    child = f.library.record(found.item.of) if found and found.item else None
    return Inner(Names(f.library, child), names) if child else names


def _check_entry(f: Findings, e: Element, names: Names | Inner, ledger: d.Ledger) -> list[tuple[str, int]] | None:
    side = "debit" if e.has("debit") else "credit"
    if e.word(side) not in ledger.account_keys:
        f.unknown("account key", e.word(side), mark(e.at(side)), ledger.account_keys, "ledger: account_keys")
    _check_dimensions(f, e, names, ledger)
    node = f.parsed(e.at("amount"))
    if node is None:
        return None
    told = len(f.found)
    terms = [term for part in _parts(node) for term in _term(f, e.at("amount"), part, names)]
    return [(name, sign if side == "debit" else -sign) for name, sign in terms] if len(f.found) == told else None


def _parts(node: Node, sign: int = 1) -> Iterator[tuple[Node, int]]:
    """The operands that are added and subtracted, with their signs."""
    match node:
        case Binary(operator="+" | "-"):
            yield from _parts(node.left, sign)
            yield from _parts(node.right, sign if node.operator == "+" else -sign)
        case Unary(operator="-"):
            yield from _parts(node.operand, -sign)
        case _:
            yield node, sign


def _term(f: Findings, e: Element, part: tuple[Node, int], names: Names | Inner) -> Iterator[tuple[str, int]]:
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


def _sum(terms: list[tuple[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for name, sign in terms:
        total[name] = total.get(name, 0) + sign
    return {name: count for name, count in total.items() if count}


def _written_out(terms: Mapping[str, int], names: Names, seen: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    """The same sum with each `let` written out that only adds and subtracts rounded money: nothing is rounded anew."""
    found: list[tuple[str, int]] = []
    for name, count in terms.items():
        parts = _addends(names.lets[name].text, names) if name in names.lets and name not in seen else None
        if parts is None:
            found.append((name, count))
        else:
            inner = _sum([(part, sign * count) for part, sign in parts])
            found += _written_out(inner, names, seen | {name})
    return found


def _addends(text: str, names: Names) -> list[tuple[str, int]] | None:
    try:
        parts = list(_parts(parse(text)))
    except ExpressionError:
        return None
    found = [(".".join(node.parts), sign) for node, sign in parts if isinstance(node, Path)]
    is_money = len(found) == len(parts) and all(_is_money(name, names) for name, _ in found)
    return found if is_money else None


def _is_money(name: str, names: Names) -> bool:
    found = names.type_of(d.dotted(name))
    return found is not None and found.kind == "money"


def _shown(difference: dict[str, int]) -> str:
    """A sum of names as it is written, what is added first."""
    in_order = sorted(difference.items(), key=lambda term: term[1] < 0)
    words = [
        f"{'-' if count < 0 else '+'} {'' if abs(count) == 1 else f'{abs(count)} * '}{name}" for name, count in in_order
    ]
    said = " ".join(words)
    return said[2:] if said.startswith("+ ") else "-" + said[2:]


# --- sources ---


def _check_sources(f: Findings, e: Element) -> None:
    """A rule of accounting says where it comes from: the posting, as its schema demands, and the decisions it uses."""
    for name, inner in e.pairs("decide"):
        asked = inner.word("decision") if isinstance(inner.value, dict) else str(inner.value)
        document = f.pack.find("decision", asked)
        if document is not None and "source" not in document.body:
            f.say("R504", f"decision `{asked}`, which this posting uses as `{name}`, has no `source`", mark_key(inner),
                  "say which rule it follows: `source: FILE.md#section`")  # fmt: skip
