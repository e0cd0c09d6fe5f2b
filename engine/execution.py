"""Performs events over many records at once: gather, decide, hand over what is to be written.

A piece of work is a list of requests. Each request is a root firing; what it creates and fires belongs to it and is
refused with it. Nothing is written here: `journal` writes what stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import localcontext
from typing import Any

from . import definitions as d
from . import programs as p
from .beginnings import Asked, Beginnings, each_record_once
from .claims import Claims
from .compiler import compile_transition
from .errors import CharterFault, Place
from .evaluation import Evaluation
from .firings import Actor, Firing, Reason, Request, Root, Voucher
from .gathering import Gatherer
from .integrity import Integrity
from .library import Library
from .money import EXACT
from .permission import Permission

DEEPEST = 20


class Programs:
    """Compiled transitions, each once."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._made: dict[tuple[str, str, int], p.Program] = {}

    def of(self, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> p.Program:
        key = (record.name, workflow.name, workflow.transitions.index(transition))
        if key not in self._made:
            self._made[key] = compile_transition(self.library, record, workflow, transition)
        return self._made[key]


class Work:
    """One piece of work: some requests within one transaction of the database."""

    def __init__(self, programs: Programs, gatherer: Gatherer, actor: Actor, today: date, now: str,
                 one_login: bool = False) -> None:  # fmt: skip
        self.programs, self.gatherer, self.actor = programs, gatherer, actor
        self.library, self.session = programs.library, gatherer.session
        self.today, self.now, self.one_login = today, now, one_login
        self.setting = (today, now, actor.id)
        self.permission = Permission(gatherer, actor, one_login, self.called)
        self.beginnings, self.evaluation, self.integrity = Beginnings(self), Evaluation(self), Integrity(self)
        self.claims = Claims(self)
        self.place: dict[int, int] = {}
        # Every firing, in the order in which they were settled.
        self.fired: list[Firing] = []

    def perform(self, requests: Sequence[Request]) -> list[Root]:
        """Work the requests through; the roots come back in order, standing, refused, or deferred."""
        roots = [Root(r) for r in requests]
        self.perform_roots(roots)
        return roots

    def perform_roots(self, roots: Sequence[Root]) -> None:
        """The same for roots made beforehand; one that has reasons already is left alone."""
        self.place = {id(root): i for i, root in enumerate(roots)}
        groups: dict[tuple[str, str, bool], list[Asked]] = defaultdict(list)
        met: set[tuple[str, int]] = set()
        for root in roots:
            r = root.request
            if r.id is not None and (r.record, r.id) in met:
                root.deferred = True
                continue
            if r.id is not None:
                met.add((r.record, r.id))
            groups[(r.record, r.event, r.id is None)].append(Asked(root, None, r.id, r.values))
        with localcontext(EXACT):
            for (record, event, creating), asked in groups.items():
                self.fire(self.wanted(record), event, asked, creating, 0)
            self.integrity.keep_referred()

    def let_go(self) -> None:
        """Forget all but what came of the roots, when it is written."""
        self.gatherer.let_go()
        self.claims = Claims(self)
        self.place.clear()
        for firing in self.fired:
            firing.let_go()
        self.fired.clear()

    def wait(self, root: Root, holder: Root) -> None:
        """Let a root go again after another that holds what it wants; and that one too, if it should come later."""
        root.deferred = True
        if self.place[id(holder)] > self.place[id(root)]:
            holder.deferred = holder.overtook = True

    def wanted(self, name: str) -> d.Record:
        record = self.library.record(name)
        if record is None:
            raise CharterFault(f"There is no record type `{name}`.")
        return record

    # --- one event on many records ---

    def fire(self, record: d.Record, event: str, asked: list[Asked], creating: bool, depth: int) -> None:
        if depth > DEEPEST:
            raise CharterFault(f"`{event}` of {record.name} fires events {DEEPEST} deep: rules go round in a circle.")
        while asked := [a for a in asked if a.root.stands]:
            now, asked = (asked, []) if creating else each_record_once(asked)
            for program, firings in self.beginnings.of(record, event, now, creating):
                self.run(program, firings, depth)

    def called(self, record: d.Record, row: Sequence[Any]) -> str:
        """What people call a record."""
        values = self.gatherer.row_values(record.name, row, self.library.key_paths(record))
        return f"{record.name} {'/'.join(str(v) for v in values)}"

    def refuse(self, root: Root, rule: str, message: str, place: Place) -> None:
        root.reasons.append(Reason(rule, message, place))

    # --- one program over its firings ---

    def run(self, program: p.Program, firings: list[Firing], depth: int) -> None:
        firings = [f for f in firings if f.root.stands]
        if not firings:
            return
        firings = self.checked(program, firings)
        self.settle(program, firings)
        self.keep_keys_apart(program, firings)
        stage = 0
        for effect in program.effects:
            firings = [f for f in firings if f.root.stands]
            while stage < effect.stage:
                stage += 1
                firings = self.checked_again(program, firings, stage)
            self.bring_about(effect, firings, depth)
        for last in range(stage + 1, 1 + max((c.stage for c in program.claims), default=0)):
            firings = self.checked_again(program, [f for f in firings if f.root.stands], last)

    def checked(self, program: p.Program, firings: list[Firing]) -> list[Firing]:
        """Work out what the firings rest on; gives those that nothing stands against."""
        self.evaluation.compute(program, firings)
        self.evaluation.check(program, firings)
        return self.claims.settle(program, [f for f in firings if f.root.stands], 0)

    def checked_again(self, program: p.Program, firings: list[Firing], stage: int) -> list[Firing]:
        """The same of what rests on what the steps so far have done."""
        return self.claims.settle(program, self.evaluation.go_on(program, firings, stage), stage)

    def keep_keys_apart(self, program: p.Program, firings: list[Firing]) -> None:
        self.integrity.refuse_same_keys(program, firings)

    def next_id(self, record: str, _alias: int = 0) -> int:
        """The next number of a record type; for which name of a rule it is matters only to who takes it again."""
        return self.session.next_id(record)

    # --- what comes of it ---

    def settle(self, program: p.Program, firings: list[Firing]) -> None:
        """Put the records as the event leaves them where the rest of the work sees them."""
        self.fired += firings
        pending, name = self.gatherer.pending, program.record.name
        rows, creates, deletes = pending.rows[name], program.transition.creates, program.transition.deletes
        if creates:
            pending.created.update([(name, firing.id) for firing in firings])
        for firing in firings:
            firing.row = None if deletes else program.first_row(firing.v)
            if not creates and (name, firing.id) not in pending.created:
                pending.before.setdefault((name, firing.id), firing.v[p.OWN])
            rows[firing.id] = (firing.row, firing.root)
            if firing.parent is None:
                firing.root.firing = firing
            else:
                firing.parent.fired.append(firing)

    def bring_about(self, effect: p.Effect, firings: list[Firing], depth: int) -> None:
        if effect.when is not None:
            firings = [f for f in firings if effect.when(f.v)]
        if not firings:
            return
        if effect.kind == "post":
            for firing in firings:
                self.post(effect, firing)
        elif effect.kind == "reverse":
            for firing in firings:
                self.reverse(effect, firing)
        elif effect.kind == "set":
            for firing in firings:
                self.set_late(effect, firing)
            self.integrity.refuse_same_keys(firings[0].program, firings)
        else:
            values = effect.values
            assert values is not None
            creating = effect.kind == "create"
            asked = []
            for firing, v in ((f, v) for f in firings for v in effect.done_for(f.v)):
                if creating:
                    new_id = effect.ids(v) if effect.ids else None
                    asked.append(Asked(firing.root, firing, None, values(v), new_id))
                else:
                    assert effect.ids is not None
                    asked += [Asked(firing.root, firing, i, values(v)) for i in effect.ids(v)]
            self.fire(self.wanted(effect.record), effect.event, asked, creating, depth + 1)

    def set_late(self, effect: p.Effect, firing: Firing) -> None:
        """Set what rests on what steps before did, unless an event that they fired has set the same field meanwhile."""
        own, changed = firing.row, self.gatherer.pending.rows[firing.record.name]
        now, root = changed[firing.id]
        assert effect.row is not None
        assert own is not None
        if now is None or any(now[i] != own[i] for i in effect.columns):
            names = ", ".join(firing.program.columns[i][0] for i in effect.columns)
            said = f"{self.called(firing.record, own)}: an event fired by a step before set or deleted {names}, too."
            self.refuse(root, firing.program.transition.event, said, effect.place)
            return
        # Another event's row is left to it: what it did is logged of it.
        after = own if now is own else list(now)
        for index, value in zip(effect.columns, effect.row(firing.v), strict=True):
            own[index] = after[index] = value
        changed[firing.id] = after, root

    def post(self, effect: p.Effect, firing: Firing) -> None:
        code = effect.voucher
        assert code is not None
        entries = code.entries(firing.v)
        if not entries:
            return
        company, on, currency = code.head(firing.v)
        total = sum([e[3] for e in entries])
        if total != 0:
            called = self.called(firing.record, firing.v[p.OWN])
            raise CharterFault(f"The posting {code.posting} of {called} does not balance: {total}.")
        firing.vouchers.append(Voucher(code.posting, code.series, company, on, currency, entries))

    def reverse(self, effect: p.Effect, firing: Firing) -> None:
        assert effect.ids is not None
        vouchers, on = effect.ids(firing.v)
        for id_, series, company, was_on, currency, posting, entries in vouchers:
            mirrored = [(*e[:3], -e[3], *e[4:]) for e in entries]
            firing.vouchers.append(Voucher(posting, series, company, on or was_on, currency, mirrored, id_))
