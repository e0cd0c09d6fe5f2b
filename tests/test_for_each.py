"""What a rule says for each element of a list: entries of one voucher, proved to balance, explained and taken again."""

from __future__ import annotations

from pathlib import Path

import pytest
from charter.engine.application import Charter
from charter.engine.explanations import why
from charter.engine.verification import verify
from support import DEPOT, Stores, World, clock, ordered, said, stocked
from test_check import MISTAKES, said_of
from test_verification import tamper

LINES = [("A", "2"), ("B", "1"), ("C", "3"), ("A", "1.5")]


def entries(world: World) -> list[tuple[str, str, int, str | None]]:
    return world.rows(
        "SELECT e.account_key, e.row, e.amount, a.number FROM charter_entry e LEFT JOIN article a ON a.id = e.article "
        "ORDER BY e.voucher, e.line"
    )  # type: ignore[return-value]


def checked(world: World) -> list[str]:
    return verify(Charter(world.store, "test", clock()), reperform=True).problems


def test_a_row_is_written_for_each_child_into_one_voucher(everywhere: World) -> None:
    """Bare names are the child's, money is rounded for each, and a child that the cells leave out writes nothing."""
    ordered(everywhere, lines=LINES)
    everywhere.must("order", "bill", "1")
    assert entries(everywhere) == [
        ("receivable", "order_billed/owed", 683500, None),
        ("sales", "order_billed/earned", -168100, "A"),
        ("tax", "order_billed/earned", -31900, "A"),
        ("sales", "order_billed/earned", -200, "C"),
        ("sales", "order_billed/earned", -126100, "A"),
        ("tax", "order_billed/earned", -23900, "A"),
        ("sales", "order_billed/book", -333300, "B"),
    ]
    assert everywhere.rows("SELECT count(*) FROM charter_voucher") == [(1,)]
    assert checked(everywhere) == []


def test_what_a_row_requires_is_asked_of_each_child(depot: World) -> None:
    ordered(depot, lines=[("A", "60"), ("B", "60"), ("C", "70")])
    assert said(depot.fire("order", "bill", "1")) == (
        "Line 1 of 1 has 60 pieces. Line 3 of 1 has 70 pieces. [quantity < 50 or this.urgency == 'high']"
    )
    depot.must("order", "change", "1", urgency="high")
    depot.must("order", "bill", "1")
    assert checked(depot) == []


def test_a_decision_without_an_answer_for_a_child_refuses_the_whole(depot: World) -> None:
    depot.create("tariff", article="X", price="5")
    ordered(depot, lines=[("A", "1"), ("X", "1")])
    assert said(depot.fire("order", "bill", "1")) == "Articles of kind odd are not taxed: line 2 of 1. [tax_rate]"
    assert depot.rows("SELECT count(*) FROM charter_voucher") == [(0,)]


def test_statements_depend_neither_on_records_nor_on_their_children(depot: World) -> None:
    """Ten times the orders with five times the lines: the same statements."""

    def statements(first: int, orders: int, lines: int) -> int:
        numbers = [f"{first + i}" for i in range(orders)]
        made = [depot.creation("order", number=n, depot="N", ordered_on="2026-03-02") for n in numbers]
        made += [depot.creation("line", order=n, number=str(i), article="AB"[i % 2], quantity="1")
                 for n in numbers for i in range(lines)]  # fmt: skip
        depot.perform(made)
        work = [depot.request("order", "bill", n) for n in numbers]
        before = depot.store.statements
        assert not any(root.reasons for root in depot.perform(work))
        return depot.store.statements - before

    statements(0, 1, 1)
    assert statements(100, 2, 2) == statements(200, 20, 10)


def test_a_figure_leads_back_to_the_list_and_to_what_was_decided_for_its_elements(depot: World) -> None:
    ordered(depot, lines=LINES)
    depot.must("order", "bill", "1")
    explained = why(Charter(depot.store, "test", clock()), "O-000001/2")
    (entry,) = explained.entries
    assert (entry.expressions, entry.of) == (("net",), "line 1/1")
    assert "for_each: lines" in entry.texts[0].lines[2]
    billed = why(Charter(depot.store, "test", clock()), "O-000001").entries
    assert [e.of for e in billed] == [None, "line 1/1", "line 1/1", "line 1/3", "line 1/4", "line 1/4", "line 1/2"]
    assert entry.account_by is not None
    assert [(v.name, v.value) for v in entry.account_by.inputs] == [("account_key", "sales")]
    assert {d.decision for d in explained.event.decisions} == {"tax_rate", "account"}
    assert ("due", "amount * tax.rate / (1 + tax.rate)") in [(x.name, x.expression) for x in explained.event.lets]


def test_a_fact_that_only_an_element_rests_on_must_be_there(depot: World) -> None:
    ordered(depot, lines=LINES)
    depot.must("order", "bill", "1")
    ((fact,),) = depot.rows('SELECT hash FROM charter_fact WHERE content LIKE \'{"decision":"tax_rate"%\'')
    tamper(depot, "charter_fact", f"DELETE FROM charter_fact WHERE hash = '{fact}'")
    assert any(f"the fact {fact} of stream" in problem for problem in checked(depot))


# --- the account of an element ----------------------------------------------------------------------------------------

BY_KIND = """decision: account
changes: depot
inputs: {kind: {one_of: [plain, odd, book], doc: The kind of the article.}}
rows:
  - {name: sales, when: {kind: [plain, odd]}}
  - {name: books, when: {account_key: sales, kind: book}, then: {account: "4100"}}
---
master: account
changes: depot
rows: [{number: "4100"}]
---
posting: order_billed
changes: depot
account_by: {kind: "'plain'"}
rows:
  - {name: earned, account_by: {kind: article.kind}}
  - name: book
    entries: {replace: [{credit: sales, amount: amount, account_by: {kind: article.kind}}]}
"""
OTHERS = "".join(
    f"---\nposting: {name}\nchanges: depot\naccount_by: {{kind: \"'plain'\"}}\n"
    for name in ("order_sent", "rebate_given", "order_counted")
)


def laid_over(folder: Path, below: Path, text: str) -> Path:
    head = f"pack: over\ndoc: A pack over another one.\nversion: 0.1.0\nextends: {below}\n"
    (folder / "pack.yaml").write_text(head, encoding="utf-8")
    (folder / "rules.yaml").write_text(text, encoding="utf-8")
    return folder


def test_an_entry_hands_over_what_its_account_depends_on(stores: Stores, tmp_path: Path) -> None:
    with stores.memory(laid_over(tmp_path, DEPOT, BY_KIND + OTHERS), stocked) as world:
        ordered(world, lines=LINES)
        world.must("order", "bill", "1")
        found = world.rows(
            "SELECT a.number, e.row FROM charter_entry e JOIN account a ON a.id = e.account ORDER BY line"
        )
        assert [number for number, row in found if row == "order_billed/book"] == ["4100"]
        assert {number for number, row in found if row == "order_billed/earned"} == {"4000", "1700"}
        assert checked(world) == []


def test_what_the_account_depends_on_is_said_where_the_record_has_no_such_name(tmp_path: Path) -> None:
    diagnostics, _ = said_of(laid_over(tmp_path, DEPOT, BY_KIND))
    found = [x for x in diagnostics if x.code == "R202"]
    assert [(x.code, Path(x.place.file).name, x.message) for x in found] == [
        ("R202", "postings.yaml", "the account decision cannot read its input `kind` from `order`: unknown name `kind`")
    ] * 3


# --- balance ----------------------------------------------------------------------------------------------------------

TWICE = """posting: order_sent
replaces: shop
doc: What the customer owes.
source: The shop's own books.
of: order
voucher: {{series: orders, date: ordered_on, company: branch, currency: branch.currency}}
let: {{{let}}}
rows:
  - {{name: once, doc: Once., entries: [{{debit: receivable, amount: owed}}]}}
{rows}
"""
EACH = "  - {{name: {0}, doc: Each., for_each: lines, when: {{{1}}}, entries: [{{credit: sales, amount: amount}}]}}\n"
WHOLE = EACH.replace("when: {{{1}}}, ", "").format("each")


@pytest.mark.parametrize(
    ("let", "rows", "left"),
    [
        ("owed: sum(lines.amount)", WHOLE, ""),
        ("owed: 'sum(lines, amount)'", WHOLE, ""),
        ("part: sum(lines.amount), owed: part", WHOLE, ""),
        ("owed: sum(lines.amount) + amount - amount", WHOLE, ""),
        (
            "owed: sum(lines.amount)",
            EACH.format("a", "number: 1") + EACH.format("b", "number: {above: 1}"),
            "number = 0",
        ),
        (
            "owed: sum(lines.amount)",
            EACH.format("a", "number: {at_most: 1}") + EACH.format("b", "number: {above: 1}"),
            "",
        ),
        ("owed: sum(lines.amount)", WHOLE + EACH.format("b", "number: 1"), "number = 1"),
        ("owed: amount", WHOLE, "debits - credits = amount"),
        ("owed: sum(lines.amount) * 2", WHOLE, "debits - credits = owed"),
        ("owed: sum(lines.amount) + sum(lines.amount)", WHOLE, "debits - credits = sum(lines.amount)"),
    ],
)
def test_what_is_posted_once_is_weighed_against_what_is_posted_for_each(
    tmp_path: Path, let: str, rows: str, left: str
) -> None:
    """By the sum over the list, in every case that the cells tell apart."""
    diagnostics, said = said_of(laid_over(tmp_path, MISTAKES / "pack", TWICE.format(let=let, rows=rows)))
    # That two rows write the same entry is warned of besides.
    assert [x.code for x in diagnostics if x.code != "R509"] == (["R501"] if left else [])
    assert left in said
