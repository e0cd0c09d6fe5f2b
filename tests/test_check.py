"""A pack is checked as a whole: nothing is said of a right one, and every mistake is told with its place.

Each file in `mistakes/` is laid over the pack in `mistakes/pack/`; the comment at its end is what the check must say.
"""

from __future__ import annotations

import cProfile
from pathlib import Path

import pytest
from charter.engine import check as checking
from charter.engine.catalog import library, read_pack
from charter.engine.check import CODES, check
from charter.engine.errors import Diagnostic, render

MISTAKES = Path(__file__).parent / "mistakes"
PACKS = [library().root / "rules", *(path.parent for path in (library().root / "examples").glob("*/pack.yaml"))]
EXPECTED = "# The check says:\n"


def said_of(folder: Path) -> tuple[list[Diagnostic], str]:
    pack, found, lines = read_pack(folder)
    assert pack is not None
    assert not found, "\n".join(map(str, found))
    diagnostics = check(pack, folder)
    return diagnostics, "\n\n".join(render(diagnostic, lines) for diagnostic in diagnostics)


def mistaken(folder: Path, *texts: tuple[str, str]) -> Path:
    """A pack over the right one, with files of these names and texts."""
    top = folder / "mistakes"
    top.mkdir()
    head = f"pack: mistaken\ndoc: Something is wrong here.\nversion: 0.1.0\nextends: {MISTAKES / 'pack'}\n"
    (top / "pack.yaml").write_text(head, encoding="utf-8")
    for name, text in texts:
        (top / name).write_text(text, encoding="utf-8")
    return top


def test_nothing_is_said_of_a_right_pack() -> None:
    assert said_of(MISTAKES / "pack") == ([], "")


@pytest.mark.parametrize("folder", PACKS, ids=lambda folder: folder.name)
def test_the_packs_that_come_with_us_are_right(folder: Path) -> None:
    assert said_of(folder)[1] == ""


@pytest.mark.parametrize("path", sorted(MISTAKES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_mistake_is_told_with_its_place(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert EXPECTED in text, f"{path.name} does not say what is expected"
    comment = text.partition(EXPECTED)[2]
    expected = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines())
    assert said_of(mistaken(tmp_path, (path.name, text)))[1] == expected


def test_what_a_process_takes_may_refer_to_a_record_by_itself(tmp_path: Path) -> None:
    """It is looked up when the process runs, as what people give is."""
    text = """process: reopen_all
doc: Opens again what a branch has checked.
takes: {branch: {ref: branch, default: "1", doc: The branch.}}
select: {of: order, where: "state == 'checked' and branch == this.branch", order: [id]}
fire: reopen
"""
    folder = mistaken(tmp_path, ("process.yaml", text))
    assert said_of(folder)[1] == ""


def test_an_account_key_by_cases_takes_nothing_from_what_else_is_given(tmp_path: Path) -> None:
    """Only the key that is wrong is told, and not that what stands beside it were missing."""
    text = """record: booking
doc: What is to be booked.
key: [number]
workflows: [booking]
fields: {number: {type: text, doc: Its number.}, account_key: {type: text, doc: Where it goes.}}
---
workflow: booking
doc: A booking is there.
of: booking
states: {there: {doc: Is there., final: true}}
transitions: [{event: create, from: nothing, to: there, who: {role: clerk}, takes: [number, account_key]}]
---
workflow: order
changes: shop
transitions:
  - event: check
    name: check_small
    do:
      add:
        - {create: booking, with: {number: number, account_key: "'sales' if amount < 10 else 'discount'"}}
        - {create: booking, with: {number: number, account_key: "'sales' if amount < 10 else 'disount'"}}
"""
    assert [d.message for d in said_of(mistaken(tmp_path, ("booking.yaml", text)))[0]] == [
        "unknown account key `disount`"
    ]


def test_all_mistakes_are_told_at_once_by_place(tmp_path: Path) -> None:
    names = ["unknown_reference.yaml", "does_not_balance.yaml", "dead_end.yaml", "rows_at_once.yaml"]
    texts = [(name, (MISTAKES / name).read_text(encoding="utf-8")) for name in names]
    diagnostics, _ = said_of(mistaken(tmp_path, *texts))
    assert [Path(diagnostic.place.file).name for diagnostic in diagnostics] == sorted(names)
    assert [diagnostic.code for diagnostic in diagnostics] == ["R302", "R501", "R401", "R201"]


def test_a_document_that_breaks_its_schema_is_told_once(tmp_path: Path) -> None:
    text = "workflow: order\nchanges: shop\ntransitions: [{name: reopen, sent_by: nobody, who: {role: clark}}]\n"
    diagnostics, _ = said_of(mistaken(tmp_path, ("order.yaml", text)))
    assert [str(diagnostic) for diagnostic in diagnostics] == ["error[R101]: `sent_by` is not a word of a transition"]


def test_every_code_is_listed_and_every_listed_code_is_shown() -> None:
    """What a mistake is called must be found in the table, and each code has a file that shows it."""
    shown = {code for path in MISTAKES.glob("*.yaml") for code in CODES if f"[{code}]: " in path.read_text("utf-8")}
    source = "\n".join(path.read_text("utf-8") for path in Path(checking.__file__).parent.glob("check_*.py"))
    assert {code for code in CODES if f'"{code}"' in source} <= set(CODES)
    assert set(CODES) - shown == {"R505"}, "R505 needs a pack without a ledger"


def test_a_posting_needs_a_ledger(tmp_path: Path) -> None:
    for path in (MISTAKES / "pack").glob("*.yaml"):
        text = path.read_text("utf-8")
        (tmp_path / path.name).write_text(text.partition("ledger:")[0] if path.name == "pack.yaml" else text, "utf-8")
    assert "R505" in [diagnostic.code for diagnostic in said_of(tmp_path)[0]]


def test_the_work_of_a_check_grows_as_the_pack_does(tmp_path: Path) -> None:
    """Counted in calls of functions, which do not depend on the machine: twice as much to check is twice the work."""
    counts = [calls_of_a_check(tmp_path / str(copies), copies) for copies in (1, 8, 16, 32)]
    once, twice = counts[2] - counts[1], counts[3] - counts[2]
    assert 0 < twice < 2.1 * once, counts


def calls_of_a_check(folder: Path, copies: int) -> int:
    """How many functions are called to read and check a pack with so many copies of some rules."""
    folder.mkdir()
    top = mistaken(folder, *((f"copy_{n}.yaml", RULES_OF_ONE_THING.replace("@", str(n))) for n in range(copies)))
    profile = cProfile.Profile()
    profile.enable()
    said = said_of(top)
    profile.disable()
    assert said == ([], "")
    return sum(entry.callcount for entry in profile.getstats())


RULES_OF_ONE_THING = """record: thing_@
doc: A thing that is kept.
key: [number]
dated_by: day
currency: branch.currency
workflows: [thing_@]
fields:
  number: {type: text, doc: The number.}
  branch: {ref: branch, doc: Whose it is.}
  day:    {type: date, doc: The day.}
  grade:  {one_of: [new, known, loyal], default: new, doc: How well it is known.}
  note:   {type: text, optional: true, doc: A remark.}
  amount: {type: money, default: 0, doc: Its worth.}
---
workflow: thing_@
doc: A thing is entered, checked and sent.
of: thing_@
states: {draft: {doc: Is entered.}, checked: {doc: May be sent.}, sent: {doc: Is away., final: true}}
transitions:
  - {event: create, from: nothing, to: draft, who: {role: clerk}, takes: [number, branch, day, grade, note, amount]}
  - {event: check, name: small, when: {amount: {below: 9}}, from: draft, to: checked, who: {role: clerk}}
  - event: check
    name: large
    when: {amount: {at_least: 9}}
    from: draft
    to: checked
    who: {role: manager, of: branch}
    decide: {terms: terms_@}
    require: [{that: "note is not none or terms.rate < 1", else: "{number} needs a note."}]
  - {event: send, from: checked, to: sent, who: {role: clerk}, do: [{post: sent_@}]}
always: [{before: sent, need: check}]
---
decision: terms_@
doc: What is paid of the price.
source: The shop's own terms.
of: thing_@
inputs: {grade: grade, amount: amount, note: note}
outputs: {rate: {type: number, doc: The share that is paid.}}
hit: first
rows:
  - {name: loyal, when: {grade: loyal, amount: {above: 100}}, then: {rate: 0.9}}
  - {name: known, when: {grade: [known, loyal]}, then: {rate: 0.95}}
  - {name: noted, when: {note: {given: true}}, then: {rate: 1}}
  - {name: others, when: {grade: new, note: {empty: true}}, then: {rate: 1}}
---
posting: sent_@
doc: What is owed.
source: The shop's own books.
of: thing_@
voucher: {series: orders, date: day, company: branch, currency: branch.currency}
decide: {terms: terms_@}
let: {owed: amount * terms.rate}
rows:
  - {name: known, when: {grade: [known, loyal]}, entries: [{debit: receivable, amount: owed}, {credit: sales, amount: owed}]}
  - {name: new, when: {grade: new}, entries: [{debit: receivable, amount: owed}, {credit: sales, amount: owed}]}
---
record: rate_@
doc: What is charged.
key: [number]
workflows: [rate_@]
fields:
  number: {type: text, doc: The number.}
  grade:  {one_of: [new, known, loyal], optional: true, doc: For whom.}
  charge: {type: number, doc: How much.}
  from:   {type: date, optional: true, doc: The first day.}
  until:  {type: date, optional: true, doc: The last day.}
---
workflow: rate_@
doc: A rate is entered and stays.
of: rate_@
states: {open: {doc: Counts., final: true}}
transitions: [{event: create, from: nothing, to: open, who: {role: clerk}, takes: [number, grade, charge, from, until]}]
---
master: rate_@
doc: The rates.
rows:
  - {number: "1", charge: 1, until: 2025-12-31}
  - {number: "2", charge: 2, from: 2026-01-01}
  - {number: "3", charge: 3, grade: known}
---
decision: charge_@
doc: What is charged.
of: thing_@
inputs: {grade: grade}
outputs: {charge: {type: number, doc: How much.}}
hit: most_specific
search: [[grade], []]
rows: {of: rate_@}
otherwise: {error: "No charge for {grade}."}
---
parameters: limits_@
doc: Limits.
values: {most_@: {type: whole, doc: The most., rows: [{until: 2025-12-31, value: 10}, {from: 2026-01-01, value: 12}]}}
---
formulas: worth_@
doc: What it is worth.
of: thing_@
steps: {net: gross - rebate, gross: amount * 2, rebate: gross * 0.1}
---
measure: sum_@
doc: What came together.
of: thing_@
sum: amount
where: "state == 'sent'"
by: [branch]
dated_by: day
---
process: send_all_@
doc: Sends what is checked.
takes: {until: {type: date, doc: The last day.}}
select: {of: thing_@, where: "state == 'checked' and day <= until", order: [day, id]}
fire: send
---
statement: sums_@
doc: What came together.
takes: {from: {type: date, doc: First day.}, until: {type: date, doc: Last day.}}
each: {of: branch, order: [number]}
figures:
  - {name: now, title: Now, measure: sum_@, over: [from, until]}
  - {name: all, title: All, formula: now * 2, total: sum}
---
test: sending_@
doc: A thing is sent.
today: 2026-03-31
given:
  - {create: branch, with: {number: B, currency: EUR}}
  - {create: thing_@, with: {number: "1", branch: B, day: 2026-03-01, amount: 5}}
  - {fire: check, record: thing_@, key: "1"}
when: [{run: send_all_@, with: {until: 2026-03-31}}]
then: {records: [{record: thing_@, where: "state == 'sent'", count: 1}]}
"""
