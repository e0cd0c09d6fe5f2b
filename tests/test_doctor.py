"""What a store works with is looked at; what is wrong is said with what to do, and broken integrity ends with its code."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from charter.engine.application import Charter
from charter.engine.doctor import Finding, Patient, examine
from charter.engine.store import Store
from cli_support import Desk
from support import World, clock, ordered
from test_verification import tamper


def looked_at(world: World, day: str = "2026-03-31") -> dict[str, Finding]:
    charter = Charter(world.store, "test", clock(day))
    return {f.about: f for f in examine(Patient(charter, "here", lambda: world.pack, "ann"))}


def test_nothing_is_wrong_with_a_store_that_nobody_touched(everywhere: World) -> None:
    ordered(everywhere)
    found = looked_at(everywhere)
    assert [f for f in found.values() if f.verdict not in ("ok", "note")] == []
    assert [about for about, f in found.items() if f.verdict == "note"] == ["logins"]
    assert found["pack"].says.endswith("is in force, and the same on disk")
    assert found["actor"].says == "the login test acts as ann: keeper"
    assert ("postgresql" in found) == (everywhere.store.dialect == "postgresql") != ("journal" in found)


def test_what_was_changed_behind_its_back_is_broken(everywhere: World) -> None:
    ordered(everywhere)
    last = "(SELECT max(number) FROM charter_log WHERE stream = 'N')"
    tamper(everywhere, "charter_log", f"DELETE FROM charter_log WHERE stream = 'N' AND number = {last}")
    found = looked_at(everywhere)
    assert (found["log"].verdict, found["log"].says) == ("broken", "the stream N does not end where its head says")
    trigger = "charter_fact_no_update" if everywhere.store.dialect == "sqlite" else "charter_fact_append_only"
    on = "" if everywhere.store.dialect == "sqlite" else " ON charter_fact"
    everywhere.change(f"DROP TRIGGER {trigger}{on}")
    found = looked_at(everywhere)
    assert (found["protections"].verdict, found["protections"].says) == (
        "broken", f"the protection {trigger} was removed"
    )  # fmt: skip


def test_what_a_newer_program_wants_is_a_problem(depot: World) -> None:
    depot.change("DROP INDEX by_record")
    found = looked_at(depot)["tables"]
    assert (found.verdict, found.to_do) == ("problem", "run `charter init`")
    assert "new index by_record" in found.says


def test_a_clock_that_goes_back_is_a_problem(depot: World) -> None:
    ordered(depot)
    assert looked_at(depot, "2026-03-30")["clock"].verdict == "problem"


def test_somebody_who_writes_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.must("init", "--demonstration")
    with sqlite3.connect(tmp_path / desk.db) as writer:
        writer.execute("BEGIN IMMEDIATE")
        (locks,) = [f for f in desk.data("doctor")["findings"] if f["about"] == "locks"]
        writer.rollback()
    assert (locks["verdict"], locks["says"]) == ("note", "nothing can be written just now: database is locked")
    with sqlite3.connect(tmp_path / desk.db) as intruder:
        intruder.execute("DROP TRIGGER charter_log_no_delete")
    assert not desk.data("doctor", code=6)["sound"]


def test_where_there_is_no_store_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "none.db"
    charter = Charter(Store(str(file)), "test", clock())
    *_, last = examine(Patient(charter, str(file), lambda: None, None))  # type: ignore[arg-type,return-value]
    assert (last.verdict, last.to_do) == ("note", "make one with `charter init`")
    assert not file.exists()
