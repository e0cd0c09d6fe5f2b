"""An event log is held against a workflow: what is possible, what the log leaves open, what it does not tell."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from charter.engine.catalog import load
from charter.engine.check import check
from charter.engine.commands_conform import as_data
from charter.engine.conformance import Conformance, replay
from charter.engine.errors import InvalidInput, InvalidPack, render
from charter.engine.event_logs import log_fields, read_log
from charter.engine.library import Library
from charter.engine.log_mappings import LogMapping, build_log_mapping, conventional
from cli_support import ROOT, Desk

PACK = """
pack: loans
doc: Loans of tools, for tests.
version: 0.1.0
author: tests
from: 2020-01-01
currencies: {EUR: 2}
roles: {keeper: {doc: Lends.}, owner: {doc: Owns.}, guard: {doc: Watches.}}
---
record: loan
doc: A loan.
key: [number]
workflows: [loan]
fields:
  number: {type: text, doc: Its number.}
  days:   {type: whole, default: 1, doc: For how long.}
  taker:  {ref: actor, optional: true, doc: Who takes it.}
---
parameters: limits
doc: Limits.
values: {longest: {type: whole, doc: The longest loan., rows: [{until: 2025-12-31, value: 5}, {from: 2026-01-01, value: 9}]}}
---
decision: lenders
doc: Who lends.
of: loan
inputs: {state: state, days: days}
outputs: {step: {type: whole, doc: The step.}, act: {type: text, doc: What is done.}, role: {type: text, doc: Who does it.}}
hit: collect
order: step
rows:
  - {name: keeper, when: {state: asked, days: {at_most: 7}}, then: {step: 1, act: lend, role: keeper}}
  - {name: owner, when: {state: asked}, then: {step: 2, act: lend, role: owner}}
  - {name: guard, when: {state: asked}, then: {step: 3, act: lend, role: guard}, until: 2025-12-31}
  - {name: refuser, when: {state: asked}, then: {step: 4, act: refuse, role: guard}}
---
workflow: loan
doc: A tool is lent and comes back.
of: loan
states:
  asked:  {doc: Is asked for.}
  kept:   {doc: Is lent for long.}
  lent:   {doc: Is lent.}
  back:   {doc: Is back., final: true}
  denied: {doc: Is not lent.}
transitions:
  - {event: ask, doc: Ask., from: nothing, to: asked, who: [{field: taker}, {role: keeper}], takes: [number, days, taker]}
  - {event: lend, name: lend_short, doc: Lend., from: asked, to: lent, let: {is_long: days > parameter.longest},
     when: {is_long: false}, who: {decision: lenders, where: {act: "'lend'"}}}
  - {event: lend, name: lend_long, doc: Lend., from: asked, to: kept, let: {is_long: days > parameter.longest},
     when: {is_long: true}, who: {role: owner}}
  - {event: deny, doc: Do not lend., from: asked, to: denied, who: {decision: lenders, where: {act: "'refuse'"}}}
  - {event: ask_again, doc: Ask again., from: denied, to: asked, who: {field: taker}}
  - {event: return, doc: Bring it back., from: lent, to: back, who: {role: keeper}}
  - {event: extend, doc: Keep it longer., from: kept, to: lent, who: {role: owner}}
"""
MAPPING = """
---
mapping: sheet
doc: The sheet on which loans are written down.
workflow: loan
file: {form: csv, separator: ";"}
case: tool
activity: what
time: when
role: who
roles: {KEEPER: keeper, OWNER: owner, GUARD: guard, "?": none}
ends: [denied]
fields: {days: {from: days}}
events:
  Asks: {event: [ask, ask_again]}
  Lends: {event: lend}
  Denies: {event: deny}
  Brings: {event: return}
  Sings: {ignored: It is no matter of ours.}
"""


def library(folder: Path, mapping: str = MAPPING) -> Library:
    folder = folder / "loans"
    folder.mkdir(exist_ok=True)
    head, _, rest = PACK.partition("---")
    (folder / "pack.yaml").write_text(head, encoding="utf-8")
    (folder / "rules.yaml").write_text(f"---{rest}{mapping}", encoding="utf-8")
    pack = load(folder)
    found = check(pack, folder)
    if found:
        raise InvalidPack(found, pack.lines)
    return Library(pack)


def replayed(folder: Path, log: str | bytes, name: str = "log.csv", by: LogMapping | None = None) -> Conformance:
    """What comes of a log; by the mapping of the pack where no other is given."""
    rules = library(folder)
    path = folder / name
    path.write_bytes(log if isinstance(log, bytes) else log.encode())
    flow, record = rules.workflow("loan"), rules.record("loan")
    assert flow is not None
    assert record is not None
    mapping = by or build_log_mapping(rules.pack.find("mapping", "sheet"))
    return replay(rules, flow, mapping, read_log(mapping, log_fields(rules, flow, record), path))


def sheet(*rows: str) -> str:
    """A log of one case and its order: who does what, when, and for how many days."""
    events = [row if ";" in row else f"saw;{row};?;;" for row in rows]
    return "\n".join(["tool;what;who;when;days", *events, ""])


def ended(found: Conformance) -> dict[str, int]:
    return {" or ".join(states): met.cases for states, met in found.ends.items()}


def broken(found: Conformance) -> list[tuple[str, str, str]]:
    return [(" or ".join(v.states), v.event, v.because) for v in found.violations]


def test_a_case_conforms_that_takes_possible_steps_to_an_end(tmp_path: Path) -> None:
    found = replayed(tmp_path, sheet("Asks", "Sings", "Lends", "Brings", "axe;Asks;?;;", "axe;Denies;?;;"))
    assert (found.cases, found.conforming, found.events, found.ignored) == (2, 2, 6, 1)
    assert ended(found) == {"back": 1, "denied": 1}


def test_a_case_that_rests_elsewhere_does_not_conform_and_breaks_nothing(tmp_path: Path) -> None:
    found = replayed(tmp_path, sheet("Asks"))
    assert (found.conforming, ended(found), broken(found)) == (0, {"asked": 1}, [])


def test_the_first_violation_of_each_case_is_counted_by_state_and_event(tmp_path: Path) -> None:
    log = sheet("Lends", "Asks", "axe;Lends;?;;", "pin;Asks;?;;", "pin;Brings;?;;", "pin;Lends;?;;")
    found = replayed(tmp_path, log)
    assert broken(found) == [
        ("nothing", "lend", "here only ask is possible"),
        ("asked", "return", "here only lend, deny is possible"),
    ]
    first = next(iter(found.violations.values()))
    assert (first.cases, first.case, first.line) == (2, "saw", 2)


def test_an_activity_may_mean_several_events_of_which_one_is_possible(tmp_path: Path) -> None:
    found = replayed(tmp_path, sheet("Asks", "Denies", "Asks", "Asks"))
    assert broken(found) == [("asked", "ask or ask_again", "here only lend, deny is possible")]


def test_an_unknown_activity_is_told_and_does_not_conform(tmp_path: Path) -> None:
    found = replayed(tmp_path, sheet("Asks", "Dances", "Lends", "Dances"))
    assert broken(found) == [("asked", "", "the mapping does not know the activity")]
    assert {name: (met.cases, met.line) for name, met in found.unknown.items()} == {"Dances": (2, 3)}


@pytest.mark.parametrize(
    ("row", "because"),
    [
        ("saw;Lends;?;;3", ""),
        ("saw;Lends;KEEPER;;3", ""),
        ("saw;Lends;KEEPER;;", ""),
        ("saw;Lends;OWNER;2026-03-01;9", ""),
        ("saw;Lends;KEEPER;2026-03-01;8", "keeper may not; owner may"),
        ("saw;Lends;GUARD;2026-03-01;3", "guard may not; keeper, owner may"),
        ("saw;Lends;GUARD;2025-12-31T23:30:00-05:00;3", ""),
        ("saw;Lends;GUARD;;3", ""),
        ("saw;Lends;BOSS;2026-03-01;3", "BOSS may not; keeper, owner may"),
        ("saw;Denies;OWNER;2026-03-01;3", "owner may not; guard may"),
    ],
)
def test_who_may_is_asked_as_far_as_the_log_tells_role_day_and_values(tmp_path: Path, row: str, because: str) -> None:
    """A role that holds until a day counts by the day as it is written; where none is written, it may have held."""
    found = replayed(tmp_path, sheet("Asks", row))
    said = [reason for _, _, reason in broken(found)]
    # The other way to lend is refused for its condition; only what the log tells is held against it.
    assert [s.partition("; its condition")[0] for s in said] == ([because] if because else [])


@pytest.mark.parametrize(
    ("days", "when", "state"),
    [
        ("9", "2026-03-01", "lent"),
        ("10", "2026-03-01", "kept"),
        ("6", "2025-12-31", "kept"),
        ("6", "", "kept or lent"),
        ("", "2026-03-01", "kept or lent"),
    ],
)
def test_conditions_are_asked_over_told_values_and_all_open_ways_are_followed(
    tmp_path: Path, days: str, when: str, state: str
) -> None:
    log = sheet("Asks", f"saw;Lends;OWNER;{when};{days}")
    assert ended(replayed(tmp_path, log)) == {state: 1}
    assert (state == "kept") == bool(broken(replayed(tmp_path, log + "saw;Brings;?;;\n")))


def test_a_condition_that_is_told_not_to_hold_is_named(tmp_path: Path) -> None:
    found = replayed(tmp_path, sheet("Asks", "saw;Lends;KEEPER;2026-03-01;10"))
    assert broken(found)[0][2] == "its condition on is_long does not hold; keeper may not; owner may"


def test_cases_may_alternate_and_the_order_of_the_file_counts_not_the_time(tmp_path: Path) -> None:
    log = sheet("saw;Asks;?;2026-03-05;", "axe;Asks;?;2026-03-04;", "saw;Denies;?;2026-03-01;", "axe;Denies;?;;")
    assert ended(replayed(tmp_path, log)) == {"denied": 2}


XES = """<log><trace><string key="concept:name" value="saw"/>
<event><string key="concept:name" value="ask"/></event>
<event><string key="concept:name" value="deny"/><string key="org:role" value="keeper"/></event>
</trace></log>"""


def test_without_a_mapping_columns_have_their_usual_names_and_activities_are_events(tmp_path: Path) -> None:
    events = ["ask", "lend", "deny"]
    found = replayed(tmp_path, gzip.compress(XES.encode()), "log.xes.gz", conventional("loan", events, "xes"))
    assert broken(found) == [("asked", "deny", "keeper may not; guard may")]
    found = replayed(tmp_path, "case,activity\nsaw,ask\nsaw,deny\n", "log.csv", conventional("loan", events, "csv"))
    assert ended(found) == {"denied": 1}


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("tool;wat\nsaw;Asks\n", "log.csv:2: there is no `what` [loans/rules.yaml:54:11]; did you mean `wat`?"),
        ("tool;what\n;Asks\n", "log.csv:2: `tool` is empty; it says the case of the event"),
        ("tool;what;when\nsaw;Asks;31/3/2026\n", "log.csv:2: `31/3/2026` is neither a day nor a moment"),
        ("tool;what;days\nsaw;Asks;many\n", "log.csv:2: `days`: `many` is not a whole number"),
    ],
)
def test_a_log_that_the_mapping_cannot_read_is_refused_with_its_line(tmp_path: Path, log: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        replayed(tmp_path, log)
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(said)


def test_a_mapping_of_a_log_is_checked_with_its_workflow(tmp_path: Path) -> None:
    wrong = MAPPING.replace("[denied]", "[denyed]").replace("event: lend", "event: lent").replace(": guard", ": gard")
    with pytest.raises(InvalidPack) as caught:
        library(tmp_path, wrong.replace("days: {from", "dais: {from").replace("Denies: {event: deny}", "Denies: {}"))
    (only_schema,) = caught.value.diagnostics
    assert "event or ignored" in only_schema.message
    with pytest.raises(InvalidPack) as caught:
        library(tmp_path, wrong.replace("days: {from", "dais: {from"))
    assert [f"{d.message}; {d.hint}" for d in caught.value.diagnostics] == [
        "unknown role `gard`; did you mean `guard`?",
        "unknown state `denyed`; did you mean `denied`?",
        "workflow `loan` does not take `dais`; did you mean `days`?",
        "unknown event `lent`; did you mean `lend`?",
    ], render(caught.value.diagnostics[0], caught.value.lines)


# --- the command -----------------------------------------------------------------------------------------------------

CLAIMS = ROOT / "examples" / "travel_claims"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "log.csv").write_text("case,activity\n1,create\n1,submit\n1,approve\n1,pay\n2,create\n2,pay\n", "utf-8")
    return Desk(tmp_path)


def test_the_command_needs_no_store_and_leaves_none(desk: Desk) -> None:
    """It may be approved or still in review after one approval: the payment tells."""
    result = desk.run("--pack", CLAIMS, "-o", "tsv", "conform", "claim", "log.csv")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == [
        "conforms\tpaid\t\t1\t1\t5\t",
        "violates\tdraft\tpay\t1\t2\t7\tpay: here only submit is possible",
    ]
    assert result.stderr == "log.csv: 6 events of 2 cases; 1 conform to claim (50 %).\n"
    assert [path.name for path in desk.folder.iterdir()] == ["log.csv"]


def test_one_of_several_workflows_that_share_a_state_is_replayed_with_what_is_the_same_for_all(tmp_path: Path) -> None:
    log = "1,create\n1,estimate\n1,start\n1,finish\n2,create\n2,start\n2,reopen\n"
    (tmp_path / "log.csv").write_text(f"case,activity\n{log}", "utf-8")
    printed = Desk(tmp_path).data("conform", "project_cost", "log.csv")
    assert (printed["workflow"], printed["cases"], printed["conforming"]) == ("project_cost", 2, 0)
    assert [(end["states"], end["cases"]) for end in printed["ends"]] == [(["finished"], 1)]
    assert [v["because"] for v in printed["violations"]] == ["here only change, finish is possible"]


def test_what_is_printed_as_json_is_what_came_of_the_log(desk: Desk, tmp_path: Path) -> None:
    printed = desk.data("--pack", CLAIMS, "conform", "claim", "log.csv")
    assert {n: printed[n] for n in ("version", "workflow", "mapping", "cases", "conforming", "without_events")} == {
        "version": 1, "workflow": "claim", "mapping": None, "cases": 2, "conforming": 1, "without_events": 0,
    }  # fmt: skip
    found = replayed(tmp_path, sheet("Asks", "Denies", "Sings", "axe;Sings;?;;"))
    data = as_data(found, Path("log.csv"), conventional("loan", [], "csv"))
    assert set(data) == set(printed)
    assert json.loads(json.dumps(data))["without_events"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("conform", "clam", "log.csv"), "There is no workflow `clam`. Did you mean `claim`?"),
        (
            ("conform", "declaration", "log.csv", "--mapping", "permits"),
            "There is no mapping `permits` of a log to decl",
        ),
        (("conform", "claim", "log.txt"), "log.txt: the name does not say which form of file this is"),
        (("--pack", "base", "conform", "project", "log.csv"), "Say which: project_time_and_material, project_fixed"),
        (("conform", "claim", "none.csv"), "none.csv: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_said(desk: Desk, words: tuple[str, ...], said: str) -> None:
    result = desk.run("--pack", CLAIMS, *words)
    assert result.exit_code in (2, 3)
    assert said in result.stderr
