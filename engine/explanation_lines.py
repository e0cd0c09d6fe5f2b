"""Explanations as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .explanation_data import LEADS, Decision, EntryLine, Event, Explanation, Hit, Reading, RuleText, Value, VoucherHead

WIDEST = 110  # characters of a line before its values get lines of their own
LEAST_ALIKE = 4  # values that are told once where they are all alike
MOST_SHOWN = 12  # values of a list in lines for people; data has them all


def as_lines(explanation: Explanation) -> list[str]:
    """An explanation to be read from top to bottom: the figure, its rule, its event, and back to where it began."""
    lines = [explanation.figure]
    if explanation.voucher is not None:
        lines += ["", *_voucher_lines(explanation.voucher), *_entries_lines(explanation.entries)]
    elif len(explanation.values) > 1:
        lines += ["", "Its fields", *(f"  {_pair(v)}" for v in explanation.values)]
    shown_above = tuple(e.account_by for e in explanation.entries if e.account_by)
    lines += ["", "What did it", *deeper(event_lines(explanation.event, shown_above))]
    for cause in explanation.causes:
        lines += ["", "Fired by", *deeper(event_lines(cause))]
    if explanation.earlier:
        lines += ["", "What went before, the latest first"]
    full = _told_in_full(explanation)
    for event in explanation.earlier:
        lines += ["", *deeper(event_lines(event) if event.log in full else brief_lines(event))]
    if explanation.reverses is not None:
        lines += ["", f"It takes back {explanation.reverses.subject}", *deeper(as_lines(explanation.reverses))]
    return lines


def _told_in_full(explanation: Explanation) -> set[int]:
    """Earlier events of the record itself, and what fired those."""
    own = [e for e in explanation.earlier if e.record == explanation.event.record]
    by_log = {e.log: e for e in explanation.earlier}
    full = {e.log for e in own}
    for event in own:
        while event.cause in by_log:
            event = by_log[event.cause]
            full.add(event.log)
    return full


def event_lines(event: Event, besides: Sequence[Decision] = ()) -> Iterator[str]:
    """An event with all that it read and decided, but for decisions shown elsewhere."""
    yield from _head_lines(event)
    if event.doc:
        yield f"  {event.doc}"
    for reading in event.readings:
        if reading.kind != "given" or not _given_is_shown(event, reading):
            yield from deeper(_reading_lines(reading))
    for decision in event.decisions:
        if decision not in besides:
            yield from deeper(_decision_lines(decision))
    for let in event.lets:
        within = f", in {let.within}" if let.within else ""
        yield f"  {let.name} = {let.expression}{within}{told(let.place)}"
    yield from _change_lines(event)


def brief_lines(event: Event) -> Iterator[str]:
    """An event: who, when, by what rule, what changed, and what was said beside that."""
    yield from _head_lines(event)
    yield from _change_lines(event)
    yield from (f"  {name}: {shown_value(value)}" for name, value in said_besides(event))


def said_besides(event: Event) -> Iterator[tuple[str, str]]:
    """What whoever fired it gave and what is kept in no field, such as a reason; and the warnings acknowledged."""
    after = {c.field for c in event.changes}
    for reading in event.readings:
        if reading.kind in ("given", "acknowledged"):
            yield from ((v.name, v.value) for v in reading.values if v.value is not None and v.name not in after)


# --- vouchers and entries --------------------------------------------------------------------------------------------


def _voucher_lines(voucher: VoucherHead) -> Iterator[str]:
    of = f"{voucher.company}, series {voucher.series}, dated {voucher.date}, in {voucher.currency}"
    yield f"Voucher {voucher.number} of {of}"
    yield f"  written {moment(voucher.posted_at)} by the posting {voucher.posting}{told(voucher.place, voucher.source)}"
    if voucher.reverses:
        yield f"  takes back {voucher.reverses}"
    if voucher.reversed_by:
        yield f"  was taken back by {voucher.reversed_by}"


def _entries_lines(entries: Sequence[EntryLine]) -> Iterator[str]:
    """The entries, with the lines of each posting row once."""
    texts: set[RuleText] = set()
    for entry in entries:
        yield ""
        yield from _entry_lines(entry, [text for text in entry.texts if text not in texts])
        texts.update(entry.texts)


def _entry_lines(entry: EntryLine, texts: Sequence[RuleText]) -> Iterator[str]:
    about = "".join(f", {_pair(v)}" for v in entry.dimensions)
    yield f"Line {entry.line}: {entry.side} {entry.amount} {entry.currency} to account {entry.account}{about}"
    amount = f", whose amount is `{'` or `'.join(entry.expressions)}`" if entry.expressions else ""
    yield f"  by the row {entry.row}{f', for {entry.of}' if entry.of else ''}{amount}"
    for text in texts:
        yield from deeper(_text_lines(text))
    if entry.account_by is not None:
        yield f"  the account key {entry.account_key} stands for this account"
        yield from deeper(_decision_lines(entry.account_by))


def _text_lines(text: RuleText) -> Iterator[str]:
    yield f"{text.place} (pack {text.pack})"
    first = int(text.place.rpartition(":")[2])
    for number, line in enumerate(text.lines, first):
        yield f"{number:>5} | {line}"


# --- events ----------------------------------------------------------------------------------------------------------


def _head_lines(event: Event) -> Iterator[str]:
    states = f"{event.from_state or 'nothing'} -> {event.to_state or 'nothing'}"
    yield f"{moment(event.at)}  {event.event} of {event.record}: {states}"
    right = f"fired by {event.caused_by}" if event.caused_by else f"right: {event.right}"
    acting_for = f", for {event.acting_for}" if event.acting_for else ""
    yield f"  by {event.actor} (login {event.login}), {right}{acting_for}"
    yield f"  rule {event.rule}{told(event.place, event.source)} in pack {event.pack}"
    if event.imported:
        yield f"  from {event.imported}"
    if event.vouchers:
        yield f"  vouchers: {', '.join(event.vouchers)}"


def _change_lines(event: Event) -> Iterator[str]:
    for change in event.changes:
        if change.because != LEADS:
            before = f"{shown_value(change.before)} -> " if change.before is not None else ""
            yield f"  {change.field}: {before}{shown_value(change.after)}  ({change.because}{told(change.place)})"


def _given_is_shown(event: Event, reading: Reading) -> bool:
    """Whether what was given stands among the changes anyhow."""
    after = {c.field: c.after for c in event.changes}
    return all(v.value is None or after.get(v.name) == v.value for v in reading.values)


def _reading_lines(reading: Reading) -> Iterator[str]:
    values = [v for v in reading.values if v.value is not None or reading.kind != "given"]
    said = [shown_value(v.value) if reading.kind == "measure" else _pair(v) for v in values]
    about = "given" if reading.kind == "given" else f"read {reading.about}"
    line = f"{about}{': ' if said else ''}{', '.join(said)}{told(reading.place)}"
    if len(line) <= WIDEST:
        yield line
        return
    yield f"{about}{told(reading.place)}"
    yield from (f"  {x}" for x in said)


def _decision_lines(decision: Decision) -> Iterator[str]:
    called = f" as {', '.join(decision.names)}" if decision.names else ""
    on = f", as of {decision.on}" if decision.on else ""
    yield f"decided {decision.decision}{called}{on}{told(decision.place)}"
    yield f"  asked: {', '.join(map(_pair, decision.inputs)) or 'nothing'}"
    if decision.key_set is not None:
        yield f"  found by: {', '.join(decision.key_set) or 'nothing in particular'}"
    for hit in decision.hits:
        yield from deeper(_hit_lines(hit))
    for answer in decision.answers:
        yield f"  answer: {', '.join(map(_pair, answer))}"


def _hit_lines(hit: Hit) -> Iterator[str]:
    if not hit.texts:
        yield f"row {hit.name}{told(hit.place)}"
    else:
        yield f"row {hit.name}"
    if hit.values:
        yield f"  for {', '.join(map(_pair, hit.values))}"
    if hit.entered:
        yield f"  {hit.entered}"
    for text in hit.texts:
        yield from deeper(_text_lines(text))


# --- parts of a line -------------------------------------------------------------------------------------------------


def _pair(value: Value) -> str:
    return f"{value.name} {shown_value(value.value)}"


def shown_value(value: str | None) -> str:
    """A value in a line; a list of one value is told once, a long one is cut, and both say so."""
    if value is None:
        return "none"
    pieces = value.split(", ")
    if len(pieces) >= LEAST_ALIKE and len(set(pieces)) == 1:
        return f"{pieces[0]} ({len(pieces)} times)"
    return value if len(pieces) <= MOST_SHOWN else f"{', '.join(pieces[:MOST_SHOWN])} … ({len(pieces)} in all)"


def moment(at_: str) -> str:
    """A moment of the log, to the second."""
    return f"{at_[:10]} {at_[11:19]}"


def told(*places: str) -> str:
    """Places behind a line, those that are known."""
    said = ", ".join(x for x in places if x)
    return f"  [{said}]" if said else ""


def deeper(lines: Iterable[str]) -> Iterator[str]:
    """Lines moved in by a step."""
    return (f"  {line}" if line else line for line in lines)
