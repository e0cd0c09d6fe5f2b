"""What one pack says otherwise than another is told row by row, with what stands in either and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from charter.engine.catalog import load
from charter.engine.differences import differences
from cli_support import ROOT, Desk

NORTHWIND, CLAIMS = ROOT / "examples" / "northwind", ROOT / "examples" / "travel_claims"
HEAD = "pack: shop\ndoc: A shop.\nversion: 1.0.0\nauthor: tests\nfrom: 2020-01-01\ncurrencies: {EUR: 2}\n"
DECISION = """decision: rate
doc: What it costs.
rows:
  - {name: small, when: {size: {below: 5}, kind: [a, b]}, then: {price: 1}}
  - {name: large, when: {}, then: {price: 2}, from: 2026-01-01}
"""


def told(folder: Path, before: str, after: str) -> list[tuple[str, ...]]:
    """Differences of two packs that have one file each."""
    for name, text in (("a", before), ("b", after)):
        (folder / name).mkdir()
        (folder / name / "pack.yaml").write_text(HEAD, encoding="utf-8")
        (folder / name / "rules.yaml").write_text(text, encoding="utf-8")
    found = differences(load(folder / "a"), load(folder / "b"))
    return [
        (d.change, f"{d.kind} {d.name}", d.where, d.before, d.after, str(d.before_at.line), str(d.after_at.line))
        for d in found
    ]


def test_equal_packs_have_no_differences_whatever_the_order_of_their_words(tmp_path: Path) -> None:
    turned = DECISION.replace(", then: {price: 2}, from: 2026-01-01", ", from: 2026-01-01, then: {price: 2}")
    assert told(tmp_path, DECISION, "# A remark.\n" + turned) == []


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("price: 1", "price: 3", ("changed", "row small, then price", "1", "3", "4", "4")),
        ("below: 5", "at_most: 4", ("changed", "row small, when size", "below 5", "at most 4", "4", "4")),
        ("[a, b]", "{given: true}", ("changed", "row small, when kind", "a or b", "given", "4", "4")),
        (", kind: [a, b]", "", ("removed", "row small, when kind", "a or b", "", "4", "0")),
        (", from: 2026-01-01", "", ("removed", "row large, from", "2026-01-01", "", "5", "0")),
        ("large, when: {}", "large, when: {size: 9}", ("added", "row large, when size", "", "9", "0", "5")),
        ("What it costs.", "A price.", ("changed", "doc", "What it costs.", "A price.", "2", "2")),
        ("  - {name: large", "  - {name: no, doc: None., when: {size: 7}, then: {price: 0}}\n  - {name: large",
         ("added", "row no", "", "None, when size 7, then price 0", "0", "5")),
    ],
)  # fmt: skip
def test_a_change_is_told_of_its_row_with_both_texts_and_their_lines(
    tmp_path: Path, old: str, new: str, change: tuple[str, ...]
) -> None:
    kind, where, *rest = change
    assert told(tmp_path, DECISION, DECISION.replace(old, new)) == [(kind, "decision rate", where, *rest)]


def test_rows_that_change_places_are_told_once(tmp_path: Path) -> None:
    """Which of them answers may depend on it."""
    *head, small, large = DECISION.splitlines()
    third = large.replace("large", "huge")
    before, after = ("\n".join([*head, *rows]) for rows in ((small, large, third), (third, small, large)))
    assert [d[:3] for d in told(tmp_path, before, after)] == [("moved", "decision rate", "row huge")]


def test_of_things_without_names_is_told_which_are_gone_and_which_are_new(tmp_path: Path) -> None:
    text = "workflow: w\ndoc: W.\npeople:\n  - {different: [{event: a}]}\n  - {different: [{event: b}]}\nlist: [x, y]\n"
    after = text.replace("event: a", "event: c").replace("[x, y]", "[y]") + "always:\n  - {before: z}\n"
    assert [d[:5] for d in told(tmp_path, text, after)] == [
        ("changed", "workflow w", "people", "different (event a)", "different (event c)"),
        ("changed", "workflow w", "list", "x, y", "y"),
        ("added", "workflow w", "always", "", "(before z)"),
    ]


def test_definitions_come_and_go(tmp_path: Path) -> None:
    after = DECISION.replace("decision: rate", "decision: tariff").replace("What it costs.", "Other.")
    assert [d[:5] for d in told(tmp_path, DECISION, after)] == [
        ("removed", "decision rate", "", "What it costs.", ""),
        ("added", "decision tariff", "", "", "Other."),
    ]


# --- the command -----------------------------------------------------------------------------------------------------


def test_a_customers_pack_is_told_row_by_row(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    result = desk.run("-o", "tsv", "diff", "base", NORTHWIND)
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["change", "definition", "where", "before", "after", "before at", "after at"]
    (limit,) = (line for line in lines if line[2] == "row department_head, when amount")
    assert limit[:5] == [
        "changed",
        "decision approval_ladder",
        "row department_head, when amount",
        "above 5000",
        "above 10000",
    ]
    assert [place.partition(":")[0] for place in limit[5:]] == ["rules/approval/ladder.yaml", "northwind/ladder.yaml"]
    assert desk.must("-o", "table", "diff", "core", CLAIMS).startswith("decision account\nchange  where  ")
    assert list(tmp_path.iterdir()) == []


def test_the_exit_code_tells_differences_only_where_that_is_asked_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    codes = [desk.run("diff", "--exit-code", "core", pack).exit_code for pack in ("core", CLAIMS)]
    assert codes == [0, 10]


def test_a_pack_is_found_in_the_store_by_its_hash(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.must("--pack", CLAIMS, "init", "--demonstration")
    kept = desk.data("diff", CLAIMS, CLAIMS)["before"]["hash"]
    assert desk.data("diff", kept[:8], CLAIMS)["differences"] == []
    missing = desk.run("diff", "0" * 8, CLAIMS)
    assert (missing.exit_code, "holds no pack whose hash begins with 00000000" in missing.stderr) == (2, True)
    assert "There is no pack `nowhere`" in desk.run("diff", "nowhere", "base").stderr
