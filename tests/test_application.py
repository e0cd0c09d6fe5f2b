"""Who acts: the login decides, `--as` names only whom the login may be, and a store in which nobody acts is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from charter.engine import catalog
from charter.engine.application import Charter
from charter.engine.errors import UsageFault
from charter.engine.store import Store
from support import DEPOT, World, clock, grant


@pytest.fixture
def office(tmp_path: Path) -> World:
    """A store that is no demonstration: ann and bob have logins of their own, dot has none."""
    store = Store(f"sqlite:///{tmp_path / 'office.db'}")
    pack = catalog.load(DEPOT)
    Charter(store, "root", clock()).init(pack, "boss")
    world = World(store, pack, one_login=False)
    world.create("actor", number="ann", name="Ann", login="ann")
    world.create("actor", number="bob", name="Bob", login="bob")
    world.create("actor", number="dot", name="Dot")
    return world


def at(world: World, login: str, today: str = "2026-03-31") -> Charter:
    return Charter(world.store, login, clock(today))


def test_a_login_acts_as_the_actor_that_it_is_bound_to(office: World) -> None:
    for login, number in {"ann": "ann", "root": "boss"}.items():
        actor = at(office, login).actor()
        assert (actor.number, actor.login, actor.unbound) == (number, login, False)
        assert at(office, login).actor(number) == actor


def test_a_login_does_not_act_as_somebody_else(office: World) -> None:
    with pytest.raises(UsageFault, match="The login `ann` may not act as bob, who is bound to `bob`"):
        at(office, "ann").actor("bob")


def test_a_login_does_not_act_as_somebody_without_one(office: World) -> None:
    told = "may not act as dot, who is bound to no login. `charter fire actor bind dot --set login=ann` binds this one"
    with pytest.raises(UsageFault, match=told):
        at(office, "ann").actor("dot")


def test_an_unknown_login_is_nobody(office: World) -> None:
    with pytest.raises(UsageFault, match=r"No actor is bound to the login `eve`; known actors: ann, bob, boss, dot"):
        at(office, "eve").actor()


def test_an_unknown_actor_is_told(office: World) -> None:
    with pytest.raises(UsageFault, match="There is no actor `zoe`; known actors: ann, bob, boss, dot"):
        at(office, "ann").actor("zoe")


def test_in_a_demonstration_one_login_acts_for_everybody(depot: World) -> None:
    """And is logged as what it is."""
    charter = Charter(depot.store, "test", clock())
    assert charter.is_demonstration
    actor = charter.actor("ann")
    assert (actor.number, actor.login) == ("ann", "test")


def test_a_store_is_no_demonstration_unless_it_was_made_one(office: World) -> None:
    assert not at(office, "root").is_demonstration


def test_who_is_retired_acts_no_more(office: World) -> None:
    office.must("actor", "retire", "ann")
    for name in (None, "ann"):
        with pytest.raises(UsageFault, match="no actor|No actor"):
            at(office, "ann").actor(name)


def test_a_login_that_was_somebody_retired_may_be_somebody_new(office: World) -> None:
    office.must("actor", "retire", "ann")
    office.create("actor", number="ann2", name="Ann again", login="ann")
    assert at(office, "ann").actor().number == "ann2"


def test_a_login_that_is_bound_anew_acts_from_then_on(office: World) -> None:
    office.must("actor", "bind", "dot", login="dot")
    assert at(office, "dot").actor().number == "dot"


@pytest.mark.parametrize(
    ("today", "held"), [("2026-02-28", False), ("2026-03-01", True), ("2026-03-31", True), ("2026-04-01", False)]
)
def test_roles_are_held_between_their_days(office: World, today: str, held: bool) -> None:
    grant(office, "ann", "clerk", from_="2026-03-01", until="2026-03-31")
    assert (("clerk", None) in at(office, "ann", today).actor().grants) is held


def test_a_role_that_was_revoked_is_not_held(office: World) -> None:
    number = grant(office, "ann", "keeper", "depot/N")
    assert at(office, "ann").actor().grants == {("keeper", "depot/N")}
    office.must("role_grant", "revoke", number)
    assert at(office, "ann").actor().grants == frozenset()


def test_the_first_administrator_has_the_role_and_the_login(office: World) -> None:
    actor = at(office, "root").actor()
    assert actor.grants == {("administrator", None)}
    assert office.rows("SELECT login FROM actor WHERE number = 'boss'") == [("root",)]


def test_only_who_may_grants_roles(office: World) -> None:
    """By the same rules as everything: through an event, by an administrator."""
    request = office.creation("role_grant", "grant", actor="ann", role="administrator", **{"from": "2026-01-01"})
    for login, refused in {"ann": True, "root": False}.items():
        charter = at(office, login)
        (roots,) = charter.batch(charter.actor()).in_chunks([request])
        assert bool(roots[0].reasons) is refused


def test_where_no_store_is_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    charter = Charter(Store(f"sqlite:///{tmp_path / 'none.db'}"), "root", clock())
    with pytest.raises(UsageFault, match="There is no Charter store at .*none.db: make one with `charter init`"):
        charter.actor()
    assert not (tmp_path / "none.db").exists()
