"""Rules are read as tables: nothing that they say is left out, and each line knows where it came from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from charter.engine.catalog import load
from charter.engine.commands_read import fitting, meant, origins, print_for_person
from charter.engine.errors import UsageFault
from charter.engine.pack_data import Pack
from charter.engine.rule_tables import Table, tables_of
from cli_support import ROOT, Desk

NORTHWIND, CLAIMS = ROOT / "examples" / "northwind", ROOT / "examples" / "travel_claims"


@pytest.fixture(scope="module")
def claims() -> Pack:
    return load(CLAIMS)


@pytest.fixture(scope="module")
def northwind() -> Pack:
    return load(NORTHWIND)


def leaves(body: Any) -> Iterator[str]:
    """Every text of a definition; `field` and truth are said in other words."""
    inner = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    for each in inner:
        yield from leaves(each)
    if isinstance(body, str) and body not in ("true", "false", "field"):
        yield " ".join(body.split()).rstrip(".")


def told(table: Table) -> Iterator[str]:
    for line in table.lines:
        yield from (line.cells.get(column, "") for column in table.columns)
    yield from table.columns


def test_no_text_of_any_definition_is_left_out(northwind: Pack, claims: Pack) -> None:
    for document in (*northwind.documents, *claims.documents):
        body = document.body
        said = " ".join(" ".join([*(t for table in tables_of(document) for t in told(table)),
                                  str(body.get("doc")), str(body.get("source"))]).split())  # fmt: skip
        missing = [text for text in leaves(body) if text not in said and text.replace("_", " ") not in said]
        assert missing == [], f"{document.kind} {document.name}"


def rows(pack: Pack, kind: str, name: str, part: str) -> list[dict[str, str]]:
    document = pack.find(kind, name)
    assert document is not None
    (table,) = (table for table in tables_of(document) if table.part == part)
    return [{column: line.cells.get(column, "") for column in table.columns} for line in table.lines]


def test_a_decision_has_a_column_for_each_input_and_output(claims: Pack) -> None:
    assert rows(claims, "decision", "claim_ladder", "rows") == [
        {"row": "manager", "amount": "", "gives step": "1", "gives role": "manager", "doc": "Every claim."},
        {"row": "finance_director", "amount": "above 1000", "gives step": "2", "gives role": "finance_director",
         "doc": "Above the limit."},
    ]  # fmt: skip


def test_a_posting_has_conditions_debit_credit_and_amount(northwind: Pack) -> None:
    first, second, *_ = rows(northwind, "posting", "transaction_cost", "rows")
    assert {c: first[c] for c in ("posted_to", "debit", "amount")} == {
        "posted_to": "profit_and_loss", "debit": "cost", "amount": "cost",
    }  # fmt: skip
    assert (second["debit"], second["credit"]) == ("", "payroll_allocation")


def test_a_workflow_says_who_may_do_what_in_which_state_and_what_is_required(claims: Pack) -> None:
    events = {row["event"]: row for row in rows(claims, "workflow", "claim", "transitions")}
    submit, last = events["submit"], events["approve (approve_last)"]
    assert (submit["from"], submit["to"], submit["who"]) == (
        "draft or returned",
        "in_review",
        "the employee.actor or clerk",
    )
    assert submit["requires"].splitlines()[0] == "count(lines) > 0, else: Claim {number} has no receipts."
    assert submit["does"] == "set total = sum(lines.amount), step = 1"
    assert (last["when"], last["does"]) == ("is_last true", "set approved_on = today\npost claim_approved")
    assert last["who"] == "as claim_ladder says (step = step)"


def test_parameters_have_a_line_for_each_span(claims: Pack) -> None:
    spans = rows(claims, "parameters", "travel", "values")
    assert [(s["from"], s["until"], s["value"]) for s in spans] == [
        ("2020-01-01", "2025-12-31", "60"), ("2026-01-01", "", "90"),
    ]  # fmt: skip


def test_a_figure_says_over_which_days_it_is(northwind: Pack) -> None:
    figures = {row["name"]: row for row in rows(northwind, "statement", "trial_balance", "figures")}
    assert (figures["opening"]["at"], figures["debit"]["over"]) == ("before from", "from, until")


def test_a_search_has_a_line_for_each_key_set_and_names_its_records_once(northwind: Pack) -> None:
    document = northwind.find("decision", "cost_price")
    assert document is not None
    cells = {
        c["word"]: c["says"] for table in tables_of(document) for c in (x.cells for x in table.lines) if "word" in c
    }
    assert cells["search"].splitlines()[:2] == ["company, worker, category", "company, worker"]
    assert rows(northwind, "decision", "cost_price", "rows") == [
        {"rows": "the records of hour_cost, where state == 'open'"}
    ]


# --- what is meant, and where it came from ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "kinds"),
    [
        ("claim", {"record", "workflow"}),
        ("travel", {"parameters"}),
        ("posting", {"posting"}),
        ("rules", {"decision", "limit", "master", "measure", "parameters", "posting", "statement"}),
    ],
)
def test_a_subject_is_a_name_else_a_kind_else_a_folder(claims: Pack, subject: str, kinds: set[str]) -> None:
    assert {document.kind for document in meant(claims, subject)} == kinds


def test_what_there_is_not_is_said_with_what_was_probably_meant(claims: Pack) -> None:
    with pytest.raises(UsageFault, match="nothing called `clame`. Did you mean `claim`"):
        meant(claims, "clame")


def test_a_line_names_every_pack_that_had_a_part_in_it(northwind: Pack) -> None:
    document = northwind.find("decision", "approval_ladder")
    assert document is not None
    (table,) = (table for table in tables_of(document) if table.part == "rows")
    packs = {line.cells["row"]: [o.pack for o in origins(document, line.path)] for line in table.lines}
    assert packs["department_head"] == ["base", "northwind"]
    assert set(map(tuple, packs.values())) == {("base",), ("base", "northwind")}


# --- on a terminal, in a pipe ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
def test_tables_can_be_read_on_a_terminal(northwind: Pack, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    call: Any = type("Terminal", (), {"width": width})()
    for document in northwind.documents:
        if document.kind != "test":  # they are no tables
            print_for_person(call, document, with_origin=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > width] == []


ROWS = """
rows
when                        debit                credit                   amount
--------------------------  -------------------  -----------------------  ------

hours_to_profit_and_loss: The cost of hours is expensed at once.
class: hour                 cost                                            cost
posted_to: profit_and_loss
                                                 payroll_allocation         cost

hours_to_balance: """


def test_a_row_of_a_posting_stands_over_its_entries(northwind: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    call: Any = type("Terminal", (), {"width": 80})()
    document = northwind.find("posting", "transaction_cost")
    assert document is not None
    print_for_person(call, document, with_origin=False)
    assert ROWS in capsys.readouterr().out


def test_columns_stand_beneath_only_where_room_is_scarce(claims: Pack) -> None:
    document = claims.find("workflow", "claim")
    assert document is not None
    (table,) = (table for table in tables_of(document) if table.part == "transitions")
    assert [bool(fitting(table, width).beneath) for width in (None, 1000, 80)] == [False, False, True]


def test_in_a_pipe_each_table_has_its_header(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    printed = desk.must("--pack", CLAIMS, "-o", "csv", "read", "claim_ladder", "--origin")
    tables = [list(csv.DictReader(part.splitlines())) for part in printed.split("\n\n")]
    assert [table[0]["definition"] for table in tables] == [
        "decision claim_ladder", "decision claim_ladder: rows", "decision claim_ladder: columns",
    ]  # fmt: skip
    assert tables[1][1]["amount"] == "above 1000"
    assert tables[1][1]["origin"] == "travel_claims travel_claims/rules/ladder.yaml:14"
    assert list(tmp_path.iterdir()) == []


def test_as_data_each_line_has_its_cells_and_where_they_came_from(tmp_path: Path) -> None:
    (ladder,) = Desk(tmp_path).data("--pack", NORTHWIND, "read", "approval_ladder", "--origin")["definitions"]
    (part,) = (table for table in ladder["tables"] if table["part"] == "rows")
    (head,) = (row for row in part["rows"] if row["cells"]["row"] == "department_head")
    assert head["cells"]["amount"] == "above 10000"
    assert [origin["pack"] for origin in head["origin"]] == ["base", "northwind"]
