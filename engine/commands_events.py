"""The commands that bring events about: `fire` on chosen records, and `run` for a declared process."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import definitions as d
from .batch import Batch, pieces
from .commands import Call, Progress, event_named, pairs_given, record_named, unknown, values_given, warnings_named
from .commands_chosen import Chosen, chosen_by_keys, chosen_where
from .commands_keys import Keys
from .commands_verdicts import AMOUNTS, PLAN, TREE, VERDICT, Planned, Verdict, referred
from .errors import DONE, REFUSED, InvalidInput, UsageFault
from .firings import Request, Root, in_tree_order
from .notation import Value
from .output import Sheet, unescaped
from .processes import run as run_chunks
from .processes import takes_of
from .store import Session
from .tallies import Tally

CHUNK = 1000
HEADER = "key"  # of the keys in what `list` prints


# --- fire ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wishes:
    """How an event is wanted: what it takes as FIELD=VALUE, and the names of the warnings that are accepted."""

    sets: Sequence[str] = ()
    acknowledged: Sequence[str] = ()
    plan: bool = False


def fire_event(call: Call, name: str, event: str, keys: Sequence[str], where: str | None, wishes: Wishes) -> int:
    """Fire an event on every record meant, one verdict each; what is refused does not hold up the rest."""
    record, transitions, values, accepted = asked_for(call, name, event, wishes)
    batch = call.batch(wishes.plan)
    creates = all(t.creates for t in transitions)
    chosen = [None] if creates else records_meant(call, record, keys, where)
    if creates and (keys or where):
        raise UsageFault(f"`{event}` creates a {name}: it takes no records, only --set FIELD=VALUE.")
    if not chosen:
        what = "meets the condition" if where is not None else "came on standard input"
        call.say(f"No {name} {what}; nothing was done.")
        return DONE
    asked = (Request(name, event, c.id if c else None, values, None, accepted) for c in chosen)
    verdicts = Verdicts(call, batch, event)
    with verdicts.told():
        for piece, part in zip(batch.in_chunks(asked, CHUNK), pieces(chosen, CHUNK), strict=True):
            verdicts.add(piece, [c.key if c else None for c in part], len(chosen))
    return verdicts.end(record=name, event=event)


def asked_for(
    call: Call, name: str, event: str, wishes: Wishes
) -> tuple[d.Record, list[d.Transition], dict[str, Value], frozenset[str]]:
    """(the record type, the transitions of the event, what it is given, the warnings that are accepted)."""
    record = record_named(call.library, name)
    transitions = event_named(call.library, record, event)
    fields = {n: f for t in transitions for n, f in call.library.taken(record, t).items()}
    values = values_given(fields, pairs_given(wishes.sets, "--set"), f"`{event}` of {name}")
    return record, transitions, values, warnings_named(call.library, wishes.acknowledged)


def records_meant(call: Call, record: d.Record, keys: Sequence[str], where: str | None) -> list[Chosen]:
    """Those named, those read from standard input for `-`, or those that meet the condition."""
    if not keys and where is None:
        raise UsageFault(
            f"Say which {record.name}: give keys, `-` to read them from standard input, or --where CONDITION."
        )
    every = where is not None and set(keys) <= {"-"}
    # Whoever writes the keys may still have the store open: all are read before it is opened here.
    read = list(keys_read(call, record)) if "-" in keys and not every else []
    with call.store.reading() as session:
        if where is not None and every:
            return chosen_where(call, session, record, where, None)
        asked = [key for key in keys if key != "-"] + without_header(call, session, record, read)
        chosen = chosen_by_keys(call, session, record, asked)
        return chosen_where(call, session, record, where, [c.id for c in chosen]) if where is not None else chosen


def keys_read(call: Call, record: d.Record) -> Iterator[str]:
    """Keys from standard input, one a line: the first column of what `list` prints."""
    if sys.stdin.isatty():
        call.say(f"Reading keys of {record.name} from the keyboard, one a line; end with ctrl-d.")
    for line in sys.stdin:
        first, _, rest = line.rstrip("\r\n").partition("\t")
        if "\0" in first:
            raise InvalidInput("What came on standard input is not text.")
        if first:
            yield unescaped(first) if rest else first


def without_header(call: Call, session: Session, record: d.Record, keys: list[str]) -> list[str]:
    """The keys without the header that `list` prints above them."""
    is_header = keys[:1] == [HEADER] and not call.gatherer(session).ids_of(record.name, keys[:1])
    return keys[1:] if is_header else keys


# --- run -------------------------------------------------------------------------------------------------------------


def run_process(call: Call, name: str, given: Sequence[str], wishes: Wishes) -> int:
    """Run a process: what is refused is printed, the rest is counted."""
    process = call.library.process(name)
    if process is None:
        raise unknown("process", name, [doc.name for doc in call.library.pack.all("process")])
    values = takes_given(process.takes, given, name)
    accepted = warnings_named(call.library, wishes.acknowledged)
    verdicts = Verdicts(call, call.batch(wishes.plan), process.event, refused_only=not wishes.plan)
    with verdicts.told():
        for roots, total in run_chunks(verdicts.batch, process, values, accepted):
            verdicts.add(roots, [None] * len(roots), total)
    if not verdicts.selected:
        call.say(f"{name}: there is nothing to do.")
    return verdicts.end(process=name, event=process.event)


def takes_given(fields: Mapping[str, d.Field], given: Sequence[str], name: str) -> dict[str, Value]:
    """What a process or statement takes; every wrong name and value is said at once."""
    pairs = pairs_given(given)
    values_given(fields, pairs, f"`{name}`")
    return takes_of(fields, pairs, name)


# --- verdicts --------------------------------------------------------------------------------------------------------


@dataclass
class Verdicts:
    """Prints verdicts as chunks are finished, says how far the work is, and what it came to."""

    call: Call
    batch: Batch
    event: str
    refused_only: bool = False
    selected: int = 0
    tally: Tally = field(default_factory=Tally)
    progress: Progress = field(default_factory=Progress)
    opened: Sheet | None = None

    def add(self, roots: Sequence[Root], keys: Sequence[str | None], total: int) -> None:
        """Take the outcome of a chunk; a key of None is looked up."""
        self.selected = total
        self.tally.add(roots)
        self.progress.wipe()
        printed = [(r, k) for r, k in zip(roots, keys, strict=True) if r.reasons or not self.refused_only]
        if printed:
            known = self.learnt([r for r, _ in printed])
            for root, key in printed:
                verdict = Verdict(key if key is not None else self.key_of(known, root), root, self.batch.plan)
                is_tree = self.call.shape == "table"
                self.sheet.add(Planned(verdict, self.call.library, known, is_tree) if self.batch.plan else verdict)
        self.progress.at(len(roots), total)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Whoever stops it is told what was done until then."""
        try:
            yield
        except KeyboardInterrupt:
            self.end()
            raise

    @property
    def sheet(self) -> Sheet:
        if self.opened is None:
            columns = (TREE if self.call.shape == "table" else PLAN) if self.batch.plan else VERDICT
            self.opened = self.call.sheet(columns, "verdicts", right=AMOUNTS, spare=True, planned=self.batch.plan)
        return self.opened

    def learnt(self, roots: Iterable[Root]) -> Keys:
        """The keys of what is printed: stored records in bulk, new ones from what the work made of them."""
        keys = Keys(self.call.library)
        roots = list(roots)
        with self.call.store.reading() as session:
            gatherer = self.call.gatherer(session)
            keys.learn(gatherer, ((r.request.record, r.request.id) for r in roots if r.request.id is not None))
            # A new record is called by what it refers to.
            named = [r for r in roots if self.batch.plan or r.request.id is None]
            keys.learn(gatherer, (pair for r in named for pair in referred(self.call.library, r)))
        for firing in (f for r in roots if r.firing for f in in_tree_order(r.firing)):
            keys.learn_new(firing)
        return keys

    def key_of(self, keys: Keys, root: Root) -> str:
        id_ = root.firing.id if root.firing else root.request.id
        return keys.of(root.request.record, id_) if not root.reasons or root.request.id is not None else ""

    def end(self, **head: str) -> int:
        """Print what is left and say what it came to; gives the exit code."""
        self.progress.wipe()
        if self.opened is not None or self.call.shape == "json":
            self.sheet.end(**head, **self.tally.data(self.call.library))
        if self.selected:
            self.call.say(self.tally.said(self.call.library, self.event, self.batch.plan))
        if self.tally.done and not self.batch.plan:
            self.call.say_head()
        return REFUSED if self.tally.refused else DONE
