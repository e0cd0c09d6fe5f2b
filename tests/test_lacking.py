"""What records on their way will lack: what lies ahead of them, and who is missing. The command is tried in test_cli."""

from __future__ import annotations

from charter.engine.application import Charter
from charter.engine.lacking import events_ahead, lacking
from support import World, clock, grant, ordered


def in_short(world: World) -> list[tuple[str, str, str, dict[str, int]]]:
    charter = Charter(world.store, "test", clock())
    # Read before the transaction is open.
    assert (charter.rules.hash, charter.is_demonstration) == (world.rules.hash, True)
    before = world.tables()
    with world.store.reading() as session:
        found = lacking(charter, session, lambda _: None)
    assert world.tables() == before, "nothing is written"
    return [(f.lack.kind, f.lack.name, f.says, {n: len(ids) for n, ids in f.records.items()}) for f in found]


def test_what_lies_ahead_leads_to_what_waits(depot: World) -> None:
    library = depot.rules.library
    flow = library.workflow("order")
    assert flow is not None
    assert events_ahead(flow) == {"checked": ("approve",), "approved": ("send", "reopen"), "draft": ("check",)}


def test_people_who_may_are_missed_only_where_nobody_else_may(everywhere: World) -> None:
    """A draft is tried to its end. One order waits for somebody else than its keeper, one has a keeper no more."""
    of_n, of_s = (("series", "orders", f"Vouchers of depot {d} begin with O-000001.") for d in "NS")
    ordered(everywhere, "draft")
    assert in_short(everywhere) == [(*of_n, {"order": 1})]
    ordered(everywhere, "S", depot="S")
    everywhere.must(
        "role_grant", "revoke", everywhere.rows("SELECT id FROM role_grant WHERE held_for = 'depot/S'")[0][0]
    )
    ordered(everywhere, "1", taker="ann")
    everywhere.must("order", "check", "1")
    nobody_else = (
        "people",
        "approve",
        "`approve` is for keeper of depot/N, but not for ann: somebody else must do it.",
    )
    nobody = ("people", "approve", "`approve` is for keeper of depot/S, and there is nobody.")
    nobody_checks = (
        "people",
        "check",
        "`check` is for keeper of depot/S or the taker or whom checkers names, and there is nobody.",
    )
    assert in_short(everywhere) == [
        (*nobody_else, {"order": 1}), (*nobody, {"order": 1}), (*nobody_checks, {"order": 1}),
        (*of_n, {"order": 2}), (*of_s, {"order": 1}),
    ]  # fmt: skip
    grant(everywhere, "bob", "keeper", "depot/N")
    assert nobody_else not in {f[:3] for f in in_short(everywhere)}
