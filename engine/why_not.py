"""Says why an event is not possible, or what would come of it. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .application import Charter
from .batch import Rules
from .explanation_data import Against, Change, Refusal
from .explanation_keys import Keys, find_record
from .explanation_lines import deeper, moment, shown_value, told
from .explanation_past import Past
from .explanation_rules import at
from .explanations import refusals_of
from .firings import Actor, Firing, Reason, Request, Root, in_tree_order
from .journal_rows import changes
from .money import shown
from .next_steps import Next, NextStep, next_step_lines
from .store import Session

# --- what is said ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannedVoucher:
    """A voucher that would be written: its entries are (side, account, amount)."""

    posting: str
    date: str
    currency: str
    entries: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event would bring about for one record."""

    record: str
    event: str
    from_state: str | None
    to_state: str | None
    changes: tuple[Change, ...]
    vouchers: tuple[PlannedVoucher, ...]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What stands against an event; where nothing does, what would come of it: the event itself first."""

    record: str
    event: str
    actor: str
    reasons: tuple[Against, ...]
    outcomes: tuple[Outcome, ...]
    instead: tuple[NextStep, ...]
    refused_before: tuple[Refusal, ...]

    @property
    def is_possible(self) -> bool:
        return not self.reasons


# --- what is asked ----------------------------------------------------------------------------------------------------


def why_not(
    charter: Charter, record: str, key: str, event: str, actor: Actor, values: Mapping[str, Any] | None = None,
    acknowledged: frozenset[str] = frozenset(),
) -> WhyNot:  # fmt: skip
    """Try an event without writing anything, and say every reason against it or what would come of it.

    `values` are what the event takes, typed as a Request wants them; `acknowledged` are the names of warnings.
    """
    rules = charter.rules
    id_ = charter.store.within(lambda session: find_record(session, rules, record, key))
    request = Request(record, event, id_, values or {}, None, acknowledged)
    root = charter.batch(actor, plan=True).chunk([request])[0]

    def said(session: Session) -> WhyNot:
        keys = planned_keys(Past(session, rules), root)
        outcomes = keys.settled(lambda: tuple(outcomes_of(rules, keys, root)))
        called = keys.settled(lambda: keys.called(record, id_))
        instead = tuple(Next(charter, session, rules, actor).steps(record, [id_]).get(id_, ()))
        before = tuple(refusals_of(session, rules, record, id_))
        reasons = (*map(against, root.reasons), *not_entitled(instead, event, actor, values or {}))
        return WhyNot(called, event, actor.number, reasons, outcomes, instead, before)

    return charter.store.within(said)


def against(reason: Reason) -> Against:
    return Against(reason.rule, reason.message, at(reason.place))


def not_entitled(steps: Sequence[NextStep], event: str, actor: Actor, values: Mapping[str, Any]) -> Iterator[Against]:
    """That the actor may not, where the event was not even tried because something that it needs was not given."""
    for step in steps:
        untried = any(t.needed and t.name not in values for t in step.takes)
        if step.event == event and untried and step.may is False:
            who = " or ".join(f"{r.said} ({', '.join(r.actors) or 'nobody'})" for r in step.who)
            said = f"{actor.number} may not `{event}` it; it is for {who or 'nobody directly'}."
            yield Against(event, " ".join((said, *step.kept_from)) if step.kept_from else said, step.place)


# --- what would come of it -------------------------------------------------------------------------------------------


def planned_keys(past: Past, root: Root) -> Keys:
    """Names for records, those that exist only in the plan included."""
    keys = Keys(past)
    for firing in in_tree_order(root.firing) if root.firing else ():
        if firing.program.transition.creates:
            keys.called_by[(firing.record.name, firing.id)] = ("(new)", "")
    return keys


def outcomes_of(rules: Rules, keys: Keys, root: Root) -> Iterator[Outcome]:
    for firing in in_tree_order(root.firing) if root.firing and not root.reasons else ():
        to = None if firing.row is None else firing.row[firing.program.state_index]
        yield Outcome(
            keys.called(firing.record.name, firing.id), firing.program.transition.event, firing.from_state, to,
            tuple(planned_changes(keys, firing)), tuple(planned_vouchers(rules, keys, firing)),
        )  # fmt: skip


def planned_changes(keys: Keys, firing: Firing) -> Iterator[Change]:
    types = dict(firing.program.columns)
    for name, change in json.loads(changes(firing)).items():
        before, after = (None, change) if firing.program.transition.creates else change
        yield Change(name, keys.said(types[name], before), keys.said(types[name], after))


def planned_vouchers(rules: Rules, keys: Keys, firing: Firing) -> Iterator[PlannedVoucher]:
    declared = rules.library.record("entry")
    of = declared.fields["account"].type.of if declared else ""
    for voucher in firing.vouchers:
        places = rules.library.manifest.currencies.get(voucher.currency)
        entries = tuple(
            ("debit" if amount >= 0 else "credit", keys.titled(of, account), shown(abs(amount), places))
            for account, _, _, amount, *_ in voucher.entries
        )
        yield PlannedVoucher(voucher.posting, voucher.date.isoformat(), voucher.currency, entries)


# --- lines for people ------------------------------------------------------------------------------------------------


def why_not_lines(answer: WhyNot) -> Iterator[str]:
    """The answer to why not, to be read from top to bottom."""
    asked = f"{answer.actor} cannot `{answer.event}` {answer.record}"
    if answer.reasons:
        yield f"{asked}:"
        yield from (f"  {r.says}{told(r.place)}" for r in answer.reasons)
    else:
        yield f"Nothing stands against it: {answer.actor} may `{answer.event}` {answer.record}. It would do this:"
        for outcome in answer.outcomes:
            yield from deeper(_outcome_lines(outcome))
    if answer.reasons:
        yield from ("", "Possible now")
        yield from deeper(next_step_lines(answer.instead))
    if answer.refused_before:
        yield from ("", "Refused before")
    for refusal in answer.refused_before:
        yield f"  {moment(refusal.at)}  {refusal.event} by {refusal.actor} (login {refusal.login})"
        yield from (f"    {r.says}{told(r.place)}" for r in refusal.reasons)


def _outcome_lines(outcome: Outcome) -> Iterator[str]:
    states = f"{outcome.from_state or 'nothing'} -> {outcome.to_state or 'nothing'}"
    yield f"{outcome.event} of {outcome.record}: {states}"
    for change in outcome.changes:
        before = f"{shown_value(change.before)} -> " if change.before is not None else ""
        yield f"  {change.field}: {before}{shown_value(change.after)}"
    for voucher in outcome.vouchers:
        yield f"  voucher of {voucher.posting}, dated {voucher.date}, in {voucher.currency}"
        yield from (f"    {side} {amount} to account {account}" for side, account, amount in voucher.entries)
