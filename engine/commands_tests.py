"""The command `test`: runs the rule tests of a pack and says what of its rules they reached."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from . import catalog
from .commands import Call
from .commands_packs import checked_pack
from .coverage import Coverage, Score
from .coverage_targets import MEASURES, Target
from .errors import DONE, FAULT, REFUSED, UsageFault
from .facts import plain
from .library import Library
from .notation import counted
from .output import Column, Sheet
from .source import did_you_mean
from .trial_differences import Difference, money
from .trials import Verdict, is_meant, run_tests


@dataclass(frozen=True, slots=True)
class Wishes:
    """Whether what was not reached is to be printed, and how much of each measure has to be, as `MEASURE=PERCENT`."""

    unreached: bool = False
    at_least: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one rule test."""

    verdict: Verdict

    def rows(self) -> Iterator[Sequence[str]]:
        v = self.verdict
        yield v.name, "passed" if v.passed else "failed", str(v.place), "\n".join(v.told)

    def data(self) -> dict[str, Any]:
        v = self.verdict
        return {"test": v.name, "doc": v.doc, "passed": v.passed, "place": str(v.place), "failures": list(v.failures),
                "differences": [Figure(difference).data() for difference in v.differences]}  # fmt: skip


FIGURE = ("figure", "is", "expected", "found", "difference", "written by", "given by")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is otherwise than a test expects."""

    difference: Difference

    def rows(self) -> Iterator[Sequence[str]]:
        d = self.difference
        expected, found = ("none" if amount is None else money(amount) for amount in (d.expected, d.found))
        yield (
            d.about, d.problem, expected, found, money(d.difference), d.rule, "\n".join(o.said for o in d.origins),
        )  # fmt: skip

    def data(self) -> dict[str, Any]:
        d = self.difference
        return {"figure": d.about, "problem": d.problem, "expected": plain(d.expected), "found": plain(d.found),
                "difference": plain(d.difference), "written_by": d.written_by or None, "place": d.place or None,
                "given_by": [asdict(origin) for origin in d.origins]}  # fmt: skip


def test_pack(call: Call, only: str | None, wishes: Wishes) -> int:
    """Run the rule tests of a pack; print those that failed. A fault of the program ends one test, not all."""
    wanted = percents_wanted(wishes.at_least)
    pack = checked_pack(call)
    confirm_meant(pack, only)
    as_data = call.form in ("tsv", "csv", "json")
    sheet = call.sheet(["test", "outcome", "place", "failures"], "tests", pack=pack.name) if as_data else None
    coverage = Coverage(Library(pack))
    passed = failed = faults = 0
    for verdict in run_tests(pack, only or "", coverage):
        passed, failed = passed + verdict.passed, failed + (not verdict.passed)
        faults += verdict.fault is not None
        if verdict.fault is not None and call.debug:
            traceback.print_exception(verdict.fault)
        if sheet is not None:
            sheet.add(Outcome(verdict))
        elif not verdict.passed:
            print_failure(call, verdict)
    if sheet is not None:
        sheet.end(passed=passed, failed=failed, **reached_data(coverage))
    call.say(f"{pack.name}: {counted(passed + failed, 'test')}, {passed} passed, {failed} failed.")
    short = say_reached(call, coverage, wanted, wishes.unreached)
    if faults:
        told = "" if call.debug else " `charter --debug test …` shows where each arose."
        call.say(f"{counted(faults, 'test')} ended by a fault of the program.{told}")
        return FAULT
    return REFUSED if failed or short else DONE


def confirm_meant(pack: catalog.Pack, only: str | None) -> None:
    if only and not any(is_meant(document, only) for document in pack.all("test")):
        near = did_you_mean(only, [document.name for document in pack.all("test") if is_meant(document, "")])
        said = f"No test of {pack.name} has `{only}` in its name, nor is a file of tests called so"
        raise UsageFault(f"{said}{'; ' + near if near else '.'}")


def print_failure(call: Call, verdict: Verdict) -> None:
    failures = "\n".join("  " + line for failure in verdict.failures for line in failure.split("\n"))
    print(f"failed: {verdict.name} [{verdict.place}]\n  {verdict.doc}\n{failures}\n")
    if verdict.differences:
        columns = [Column(name, name in ("expected", "found", "difference")) for name in FIGURE]
        sheet = Sheet("table", columns, sys.stdout, call.width, spare=True)
        for difference in verdict.differences:
            sheet.add(Figure(difference))
        sheet.end()
        print()
    sys.stdout.flush()


# --- what was reached ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unreached:
    """Something of the rules that no test reached."""

    target: Target

    def rows(self) -> Iterator[Sequence[str]]:
        t = self.target
        yield f"{t.place.file}:{t.place.line}", t.measure, t.rule, t.lacks

    def data(self) -> dict[str, Any]:
        t = self.target
        return {"measure": t.measure, "rule": t.rule, "file": t.place.file, "line": t.place.line, "lacks": t.lacks}


def percents_wanted(given: Iterable[str]) -> dict[str, int]:
    """By measure how many percent have to be reached; a number alone holds for all measures."""
    wanted: dict[str, int] = {}
    for text in given:
        name, _, percent = text.rpartition("=")
        if name and name not in MEASURES:
            near = did_you_mean(name, MEASURES) or f"there are: {', '.join(MEASURES)}"
            raise UsageFault(f"There is no measure `{name}` of what tests reach; {near}")
        if not percent.isdecimal() or int(percent) > 100:
            raise UsageFault(
                f"`{text}` is not [MEASURE=]PERCENT, such as posting_rows=100; a percent is a whole number."
            )
        wanted |= dict.fromkeys([name] if name else MEASURES, int(percent))
    return wanted


def reached_data(coverage: Coverage) -> dict[str, Any]:
    """What was reached, for JSON."""
    scores = {s.measure: {"reached": s.reached, "of": s.of, "percent": s.percent} for s in coverage.scores()}
    return {"reached": scores, "unreached": [Unreached(t).data() for t in coverage.unreached()]}


def say_reached(call: Call, coverage: Coverage, wanted: Mapping[str, int], in_full: bool) -> bool:
    """Say how much was reached, and list what was not where that is asked for or too much; gives whether it is."""
    scores = coverage.scores()
    short = too_low(scores, wanted)
    call.say(f"Reached {'; '.join(map(score_said, scores))}.")
    listed = [t for t in coverage.unreached() if in_full or t.measure in {s.measure for s in short}]
    if listed and call.form != "json":
        # Where the tests themselves are printed as data, this is not for the same reader.
        out = sys.stderr if call.form in ("tsv", "csv") else sys.stdout
        sheet = call.sheet(["place", "measure", "rule", "lacks"], "unreached", out)
        for target in listed:
            sheet.add(Unreached(target))
        sheet.end()
    for said in short_said(short, wanted):
        call.say(said)
    return bool(short)


def score_said(score: Score) -> str:
    return f"{score.reached:,} of {score.of:,} {score.measure.replace('_', ' ')} ({score.percent} %)"


def too_low(scores: Iterable[Score], wanted: Mapping[str, int]) -> list[Score]:
    """The measures of which less was reached than is wanted."""
    return [s for s in scores if s.percent < wanted.get(s.measure, 0)]


def short_said(short: Iterable[Score], wanted: Mapping[str, int]) -> Iterator[str]:
    for score in short:
        yield (
            f"{score.measure}: {score.percent} % is less than the {wanted[score.measure]} % that are wanted. Each line "
            "above names a rule for which no test exists: write one that comes to it, or remove the rule."
        )
