"""What the database would refuse, said as refusals: two records of one key, and deleting what others refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import definitions as d
from . import programs as p
from .firings import Firing, Root
from .queries import among, parts, types_of
from .store import decoder
from .tables import columns_of

if TYPE_CHECKING:
    from .execution import Work


class Integrity:
    """Looks after the keys and references of what a piece of work would write."""

    def __init__(self, work: Work) -> None:
        self.work, self.gatherer, self.library, self.session = work, work.gatherer, work.library, work.session

    def refuse_same_keys(self, program: p.Program, firings: list[Firing]) -> None:
        """No two records are called the same: found here, so that it is a refusal and not a failure of the database."""
        record = program.record
        places = [i for i, (n, _) in enumerate(program.columns) if n in record.key]
        if not places or not (program.transition.creates or set(places) & set(program.changed)):
            return
        state = next((i for i, (n, _) in enumerate(program.columns) if n == "state"), 0)
        wanted: dict[tuple[Any, ...], Firing] = {}
        for firing in firings:
            if firing.row is None or firing.row[state] in record.key_except:
                continue
            key = tuple(firing.row[i] for i in places)
            first = wanted.setdefault(key, firing)
            if first is not firing:
                self.yield_key(firing, first.root)
        for id_, key, root in self.holders(record, places, state, wanted):
            if wanted[key].id != id_:
                self.yield_key(wanted[key], root)

    def yield_key(self, firing: Firing, holder: Root | None) -> None:
        """Refuse a key that a stored record or one of the same root has; wait where another root may yet be refused."""
        if holder is None or holder is firing.root:
            self.refuse_key(firing)
        else:
            self.work.wait(firing.root, holder)

    def holders(
        self, record: d.Record, places: list[int], state: int, wanted: Mapping[tuple[Any, ...], Firing]
    ) -> Iterator[tuple[int, tuple[Any, ...], Root | None]]:
        """The records that have these keys, and the root that gave or may take it in this piece of work."""
        names = [columns_of(self.library, record)[i][0] for i in places]
        joined = self.gatherer.joined(record.name, ("holders", *names))
        pending = self.gatherer.pending.rows[record.name]
        for id_, (row, root) in pending.items():
            if row is None or not root.stands or row[state] in record.key_except:
                continue
            if tuple(row[i] for i in places) in wanted:
                yield id_, tuple(row[i] for i in places), root
        paths = [(n,) for n in names]
        types = types_of(self.library, record, paths)
        decode = decoder(types)
        for part in parts(wanted):
            statement = joined.select([("id",), *paths])
            for position, path in enumerate(paths):
                statement = statement.where(among(joined.column(path)[0], types[position], {k[position] for k in part}))
            if record.key_except:
                statement = statement.where(joined.column(("state",))[0].not_in(record.key_except))
            for row in self.session.rows(statement):
                key = tuple(decode(row[1:]))
                _, root = pending.get(row[0], (None, None))
                # What the asking root has made of a stored record is among the pending ones above.
                if key in wanted and root is not wanted[key].root:
                    yield row[0], key, None if root is None or root.reasons else root

    def keep_referred(self) -> None:
        """What others refer to is not deleted: a refusal, not a failure of the database."""
        pending = self.gatherer.pending
        for name, rows in list(pending.rows.items()):
            gone = {i: root for i, (row, root) in rows.items() if row is None and root.stands}
            gone = {i: root for i, root in gone.items() if (name, i) not in pending.created}
            record = self.library.record(name)
            if not gone or record is None:
                continue
            for other, field, id_, target in self.references(name, list(gone)):
                row, root = pending.rows[other.name].get(id_, (None, None))
                if root is None or root.reasons or (root is gone[target] and row is not None and row[field] == target):
                    called = self.work.called(record, pending.before[(name, target)])
                    said = f"{called} is not deleted: {self.called_by_id(other, id_)} refers to it."
                    self.work.refuse(gone[target], "reference", said, record.place)
                elif root is not gone[target]:
                    # Whether the other still refers to it is known when that is written.
                    self.work.wait(gone[target], root)

    def references(self, name: str, ids: list[int]) -> Iterator[tuple[d.Record, int, int, int]]:
        """(record type, place of the field, id, the record it refers to) of all that refers to these records."""
        ledger = [r for r in ("entry", "voucher") if self.library.manifest.ledger]
        for other in [*self.library.records(), *(self.work.wanted(r) for r in ledger)]:
            fields = [n for n, f in other.fields.items() if f.type.kind == "ref" and f.type.of == name]
            if not fields:
                continue
            place = {n: i for i, (n, _) in enumerate(columns_of(self.library, other))}
            joined = self.gatherer.joined(other.name)
            for field in fields:
                statement = joined.select([("id",), (field,)])
                for part in parts(ids):
                    for id_, target in self.session.rows(statement.where(joined.column((field,))[0].in_(part))):
                        yield other, place[field], id_, target
                for id_, (row, _) in self.gatherer.pending.rows.get(other.name, {}).items():
                    if row is not None and row[place[field]] in ids:
                        yield other, place[field], id_, row[place[field]]

    def called_by_id(self, record: d.Record, id_: int) -> str:
        if not record.key:
            return f"{record.name} {id_}"
        found = self.gatherer.rows(record, [id_]).get(id_)
        return self.work.called(record, found) if found else f"{record.name} {id_}"

    def refuse_key(self, firing: Firing) -> None:
        assert firing.row is not None
        said = f"There is already a {self.work.called(firing.record, firing.row)}."
        self.work.refuse(firing.root, "key", said, firing.record.place)
