"""Compiles what must hold: the cells of a `when`, requirements, and what is said where they do not. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import definitions as d
from . import programs as p
from .cells import cell_source
from .errors import CharterFault, Place
from .expressions import parse_template
from .frames import Frame
from .library import Library
from .model import TEXT, Type
from .operations import Operations


class Conditions(Operations):
    """Operations together with the conditions that rest on them; `place` is where what they belong to stands.

    `columns` are those of the record that they are worked out for, `read` the places of those that are read.
    """

    def __init__(self, library: Library, place: Place, columns: Sequence[tuple[str, Type]] = ()) -> None:
        super().__init__(library)
        self.library, self.place, self.columns = library, place, list(columns)
        self.index = {name: i for i, (name, _) in enumerate(columns)}
        self.read: set[int] = set()

    def cell_sources(self, frame: Frame, cells: tuple[d.Cell, ...]) -> list[str]:
        found = []
        for cell in cells:
            type_ = frame.names.type_of(cell.path) or TEXT
            loaded = frame.key_text(cell.path) if type_.kind == "ref" and cell.values else frame.load(cell.path)
            found.append(cell_source(cell, loaded, type_, self.constants.constant))
        return found

    def requirement(
        self, frame: Frame, r: d.Requirement, guard: str = "", warning: bool = False
    ) -> tuple[str, p.Requirement]:
        source = frame.source(r.that)
        source = f"not ({guard}) or {source}" if guard else source
        name = r.name or r.that.text
        # What is only a warning does not stop the quick test of all; it is asked one by one.
        return source, self.checked(frame, name, source, r.refusal, r.place, warning)

    def checked(
        self, frame: Frame, name: str, source: str, text: d.Text, place: Place, warning: bool = False
    ) -> p.Requirement:
        self.need(source)
        slots = tuple(operation.index for operation in self.operations_in(source))
        told = self.message(frame, text)
        return p.Requirement(name, self.function(source), told, place, warning, slots, self.stage_of(source))

    def message(self, frame: Frame, text: d.Text) -> Callable[[p.Values], str]:
        """A function that says a message; what only messages need is read only when one is said."""
        with self.under("", late=True):
            parts = [repr(part) if isinstance(part, str) else frame.said(part) for part in parse_template(text.text)]
            source = " + ".join(parts) or "''"
            self.need(source)
        return self.function(source)

    def wanted_record(self, name: str) -> d.Record:
        record = self.library.record(name)
        if record is None:
            raise CharterFault(f"{self.place}: there is no record type `{name}`.")
        return record
