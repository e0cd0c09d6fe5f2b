"""Compiles limits: what is claimed of which line, how much room that has, and the steps that write it. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from . import definitions as d
from . import programs as p
from .cells import joined
from .compiler_steps import Steps
from .errors import CharterFault
from .expression_python import python_source
from .expressions import Node, parse, paths
from .frames import Frame, PostingFrame, Step
from .model import Type
from .scopes import Names, limit_names, limited_by, told_names


class Limits:
    """Compiles one limit on the event whose steps are compiled already: it sees the record as these leave it."""

    def __init__(self, steps: Steps, limit: d.Limit) -> None:
        self.steps, self.limit, self.compiler = steps, limit, steps.compiler
        library, record = steps.library, steps.record
        split = limited_by(limit)
        measure = library.measure(split[1].name) if split else None
        if split is None or measure is None:
            raise CharterFault(f"{limit.place}: the room of a limit is what there is, less a kept measure.")
        (self.whole, self.call), self.measure = split, measure
        self.frame = LimitFrame(steps, limit_names(library, record, limit), limit)
        self.applies = joined(self.compiler.cell_sources(self.frame, limit.cells))
        self.compiler.need(self.applies)
        with self.compiler.under(self.applies):
            self.given = f"{self.frame.line} is not None"
            with self.compiler.under(self.given):
                self.claimed = self.claim()
            if limit.without_line:
                self.require_line(limit.without_line)

    def claim(self) -> p.Claimed:
        """What is asked of the line, where there is one."""
        limit, frame = self.limit, self.frame
        key = "".join(f"{self.source(argument)}, " for argument in self.call.arguments)
        whole, share = self.source(self.whole), frame.source(limit.warn_from) if limit.warn_from else "None"
        sources = [f"({key})", frame.let("asks"), frame.let("claim"), whole, frame.source(limit.level), share]
        operation = self.compiler.add(
            p.Claimed, ("claimed", limit.name), sources, limit.place, measure=self.measure.name, limit=limit
        )
        operation.says = self.compiler.message(self.told(operation, whole), limit.says)
        return operation

    def require_line(self, text: d.Text) -> None:
        """Without a line there is no room: refused, or warned of, as the level says; what gives back needs none."""
        no_claim = f"{self.frame.let('asks')} <= 0"
        of_line = any(path.parts[0] == "line" for path in paths(parse(self.limit.level.text)))
        level = "'refuse'" if of_line else self.frame.source(self.limit.level)
        for answer in ("refuse", "warn"):
            holds = [f"not ({self.applies})"] if self.applies else []
            source = " or ".join([*holds, self.given, no_claim, f"{level} != {answer!r}"])
            checked = self.compiler.checked(
                self.frame, self.limit.name, source, text, text.place, warning=answer == "warn"
            )
            self.steps.requirements.append((source, checked))

    def source(self, node: Node) -> str:
        source = python_source(node, self.frame)
        self.compiler.need(source)
        return source

    def told(self, operation: p.Claimed, whole: str) -> Frame:
        """The names of what is said: the total as it was, and the room that it left."""
        total = f"v[{operation.index}][0]"
        return Told(self.frame, self.measure, {self.measure.name: total, "room": f"({whole} - {total})"})

    def effects(self) -> Iterator[p.Effect]:
        """What the limit writes of the claim, where there is a line."""
        within = joined([each for each in (self.applies, self.given) if each])
        steps = Steps(self.compiler, self.frame, self.steps.now, self.steps.requirements, within)
        steps.done = self.steps.done
        for step in self.limit.steps:
            yield from (replace(e, stage=max(e.stage, self.claimed.stage)) for e in steps.step(step))


class LimitFrame(PostingFrame):
    """The names of a limit over the record as the steps of the event leave it."""

    def __init__(self, steps: Steps, names: Names, limit: d.Limit) -> None:
        super().__init__(steps.compiler, names, steps.now.fields, {})
        self.answers_see, self.stage, self.limit = self.current, steps.done, limit
        self.line_slot = ""

    @property
    def line(self) -> str:
        """The source of the line, worked out where it is first asked for."""
        if not self.line_slot:
            source = self.source(self.limit.line)
            slot = self.compiler.add(p.Let, ("line", self.limit.name), [source], self.limit.line.place, name="line")
            self.line_slot = f"v[{slot.index}]"
        self.compiler.need(self.line_slot)
        return self.line_slot

    def named(self, name: str) -> tuple[str, Type] | None:
        return (self.line, self.names.further["line"]) if name == "line" else super().named(name)

    def seeing(self, current: Mapping[str, str], stage: int) -> Frame:
        after = LimitStep(self, dict(current))
        after.answers_see, after.stage = dict(current), stage
        return after


class LimitStep(Step):
    """The names of a limit as its steps see them."""

    def named(self, name: str) -> tuple[str, Type] | None:
        return self.base.named(name)


class Told(Frame):
    """The names of a limit, and besides the total that it met and the room that was left."""

    def __init__(self, about: LimitFrame, measure: d.Measure, sources: Mapping[str, str]) -> None:
        names = told_names(about.library, about.names, measure)
        super().__init__(about.compiler, names, about.current, {})
        self.about_limit, self.sources = about, sources

    def load(self, path: tuple[str, ...]) -> str:
        return self.sources[path[0]] if path[0] in self.sources else self.about_limit.load(path)
