"""What the `pack.yaml` files of a chain say together: currencies, roles and the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from .elements import Element, Source
from .errors import Place
from .frozen import frozen
from .record_definitions import Field, build_field


@frozen
class Role:
    name: str
    doc: str
    of: str | None


@frozen
class Ledger:
    company: str
    account: str
    dimensions: Mapping[str, Field]
    account_keys: Mapping[str, str]
    series: Mapping[str, str]
    place: Place


@frozen
class Manifest:
    """What the `pack.yaml` files of a chain say together, the later ones over the earlier ones."""

    name: str
    version: str
    author: str | None
    currencies: Mapping[str, int]
    roles: Mapping[str, Role]
    ledger: Ledger | None


def build_manifest(sources: list[Source]) -> Manifest:
    """Put the pack documents of a chain together; `sources` from the lowest pack to the customer's own."""
    currencies: dict[str, int] = {}
    roles: dict[str, Role] = {}
    company = account = ""
    dimensions: dict[str, Field] = {}
    keys: dict[str, str] = {}
    series: dict[str, str] = {}
    place = None
    for source in sources:
        e = Element(source, (), source.body)
        currencies |= {n: int(c.value) for n, c in e.pairs("currencies")}
        roles |= {n: Role(n, r.word("doc"), r.maybe("of")) for n, r in e.pairs("roles")}
        ledger = e.at("ledger")
        if ledger.value:
            place = ledger.place
            company, account = ledger.word("company", company), ledger.word("account", account)
            dimensions |= {n: build_field(n, d) for n, d in ledger.pairs("dimensions")}
            keys |= {n: str(k.value) for n, k in ledger.pairs("account_keys")}
            series |= {n: s.word("prefix", n) for n, s in ledger.pairs("series")}
    top = sources[-1]
    books = Ledger(company, account, dimensions, keys, series, place) if place and company else None
    author = top.body.get("author")
    return Manifest(
        top.name, str(top.body.get("version", "")), str(author) if author else None, currencies, roles, books
    )
