"""What a document says of a limit: what is claimed of a kept measure, at which events, and what happens beyond it."""

from __future__ import annotations

from collections.abc import Mapping

from .elements import Element, Source, Text, dotted
from .errors import Place
from .frozen import frozen
from .record_definitions import Cell, build_cells
from .workflow_definitions import Step, Use, build_steps, build_uses

LEVELS = ("allow", "warn", "refuse")


@frozen
class Limit:
    """A claim of the records of a type on the room that a line has, made `at` these events.

    `room` is what the total may come to, less the kept measure; `held` what the record claimed before and has still.
    """

    name: str
    doc: str
    source: str
    of: str
    events: tuple[str, ...]
    cells: tuple[Cell, ...]
    uses: tuple[Use, ...]
    lets: Mapping[str, Text]
    line: Text
    without_line: Text | None
    asks: Text
    held: Text | None
    room: Text
    level: Text
    warn_from: Text | None
    in_order: tuple[tuple[str, ...], ...]
    says: Text
    steps: tuple[Step, ...]
    place: Place

    @property
    def named(self) -> dict[str, Text]:
        """What is worked out once: its own names, what is asked and held, and the claim, which is the rest."""
        held = {"held": self.held} if self.held else {}
        claim = Text("asks - held" if self.held else "asks", self.asks.place)
        return {**self.lets, "asks": self.asks, **held, "claim": claim}


def build_limit(source: Source) -> Limit:
    e = Element(source, (), source.body)
    return Limit(
        source.name,
        e.word("doc"),
        e.word("source"),
        e.word("of"),
        e.words("at"),
        build_cells(e),
        build_uses(e),
        e.texts("let"),
        e.must("line"),
        e.at("without_line").text("error"),
        e.must("asks"),
        e.text("held"),
        e.must("room"),
        e.must("level"),
        e.text("warn_from"),
        tuple(dotted(word) for word in e.words("in_order")),
        e.must("says"),
        build_steps(e),
        e.place,
    )
