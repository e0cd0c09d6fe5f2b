"""Compiles postings: the head of a voucher and the function that makes its entries. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from . import definitions as d
from . import programs as p
from .cells import joined
from .compiler_conditions import Conditions
from .compiler_elements import Elements
from .errors import CharterFault
from .frames import Frame, PostingFrame
from .scopes import posting_names

if TYPE_CHECKING:
    from .compiler import Compiler

# (source that says whether it applies, lines that make its entries, lines that call these, lines that say of what)
Row: TypeAlias = "tuple[str, list[str], list[str], list[str]]"


class Postings:
    """Compiles one posting as a step sees it that applies where `guard` holds; what its rows require joins the rest."""

    def __init__(
        self, compiler: Compiler, frame: Frame, name: str, guard: str, requirements: list[tuple[str, p.Requirement]]
    ) -> None:
        posting, ledger = compiler.library.posting(name), compiler.library.manifest.ledger
        if posting is None or ledger is None:
            raise CharterFault(f"{compiler.workflow.name}: there is no posting `{name}`.")
        self.compiler, self.guard, self.requirements = compiler, guard, requirements
        self.posting, self.ledger = posting, ledger
        names = posting_names(compiler.library, compiler.record, posting)
        self.frame = PostingFrame(compiler, names, frame.current, {})
        self.frame.answers_see, self.frame.stage = frame.current, frame.stage

    def code(self) -> p.VoucherCode:
        frame, posting = self.frame, self.posting
        currency = frame.told_currency = frame.source(posting.currency)
        head = f"({frame.source(posting.company)}, {frame.source(posting.date)}, {currency})"
        lines: list[str] = []
        made = ["def entries(v):", "    out = []"]
        named = ["def elements(v):", "    found = []"]
        applying = []
        for index, row in enumerate(posting.rows):
            applies, function, calls, names = self.each_row(index, row) if row.for_each else self.row(index, row)
            applying.append(applies)
            lines += function
            made += calls
            named += names
        self.require_row(applying)
        self.compiler.need(head)
        lines += [*made, "    return out", *named, "    return found"]
        space = self.compiler.executed(lines, posting.name)
        return p.VoucherCode(
            posting.name, posting.series, self.compiler.function(head), space["entries"], space["elements"]
        )

    def require_row(self, applying: list[str]) -> None:
        """Where the posting says so, one of its rows applies."""
        if self.posting.refusal:
            any_row = " or ".join(f"({a or 'True'})" for a in applying) or "False"
            source = f"not ({self.guard}) or ({any_row})" if self.guard else any_row
            name = f"{self.posting.name} has a row"
            checked = self.compiler.checked(self.frame, name, source, self.posting.refusal, self.posting.place)
            self.requirements.append((source, checked))

    # --- rows ---

    def row(self, index: int, row: d.PostingRow) -> Row:
        applies = joined(self.compiler.cell_sources(self.frame, row.cells))
        self.compiler.need(applies)
        with self.compiler.under(applies):
            lines = list(self.entries(index, row, self.compiler, self.frame, self.frame))
            both = joined([g for g in (self.guard, applies) if g])
            self.requirements += [self.compiler.requirement(self.frame, r, both) for r in row.requirements]
        call = f"    if {applies or 'True'}: row_{index}(v, out)"
        named = ["    out = []", call, "    found += [None for _ in out]"]
        return applies, lines, [call], named

    def each_row(self, index: int, row: d.PostingRow) -> Row:
        """The same for each element of a list: what the row requires is asked of every element that it applies to."""
        assert row.for_each is not None
        elements = Elements.of_list(self.frame, row.for_each, row.place, row.lets, row.uses)
        inner = elements.frame
        inner.told_currency = elements.outside(self.frame.told_currency or "None")
        applies = joined(elements.cell_sources(inner, row.cells)) or "True"
        applying = elements.kept("applies", applies)
        guard = f"v[{applying}]"
        with elements.under(guard if row.cells else ""):
            lines = list(self.entries(index, row, elements, inner, elements.around))
            asked = [(elements.checked(inner, r.name or r.that.text, inner.source(r.that), r.refusal, r.place), r)
                     for r in row.requirements]  # fmt: skip
        each = elements.finished()
        for requirement, r in asked:
            self.require_each(each, applying, requirement, r)
        over, call = f"    for e in v[{each.index}][0]:", f"        if e[{applying}]: row_{index}(e, out)"
        element = f"({elements.record!r}, {elements.number}, {'.'.join(row.for_each)!r})"
        named = [over, "        out = []", call, f"        found += [{element} for _ in out]"]
        return f"_any(_e[{applying}] for _e in v[{each.index}][0])", lines, [over, call], named

    def require_each(self, each: p.Each, applying: int, asked: p.Requirement, r: d.Requirement) -> None:
        """One requirement for all elements; it says what each of them says that does not meet it."""

        def failing(v: p.Values) -> list[p.Values]:
            return [e for e in v[each.index][0] if e[applying] and not asked.holds(e)]

        def holds(v: p.Values) -> bool:
            return (when is not None and not when(v)) or not failing(v)

        def said(v: p.Values) -> str:
            return " ".join(dict.fromkeys(asked.message(e) for e in failing(v)))

        when = self.compiler.function(self.guard) if self.guard else None
        name = f"_holds_{each.index}_{len(self.requirements)}"
        self.compiler.runtime[name] = holds
        source = f"{name}(v)"
        self.compiler.need(f"v[{each.index}]")
        requirement = p.Requirement(asked.name, holds, said, r.place, slots=(each.index,), stage=each.stage)
        self.requirements.append((source, requirement))

    def entries(
        self, index: int, row: d.PostingRow, compiler: Conditions, frame: Frame, around: Frame
    ) -> Iterator[str]:
        """The function that makes the entries of a row; `around` has the names of the posting itself."""
        yield f"def row_{index}(v, out):"
        for entry in row.entries:
            texts = {n: (around, t) for n, t in self.posting.dimensions.items()}
            texts |= {n: (frame, t) for n, t in {**row.dimensions, **entry.dimensions}.items()}
            dimensions = [texts[n][0].source(texts[n][1]) if n in texts else "None" for n in self.ledger.dimensions]
            account = self.account(row, entry, frame, around)
            amount = frame.source(entry.amount)
            line = [account, repr(entry.key), repr(f"{self.posting.name}/{row.name}"), "a", *dimensions]
            compiler.need(", ".join([amount, *line]))
            yield f"    a = {amount if entry.side == 'debit' else f'-({amount})'}"
            yield f"    if a: out.append(({', '.join(line)}))"
        if not row.entries:
            yield "    pass"

    def account(self, row: d.PostingRow, entry: d.Entry, frame: Frame, around: Frame) -> str:
        """The source of an entry's account: what is not handed to the decision it reads from the record by name."""
        key = d.Text(f"'{entry.key}'", entry.place)
        handed = {n: (around, t) for n, t in self.posting.account_by.items()}
        handed |= {n: (frame, t) for n, t in {**row.account_by, **entry.account_by}.items()}
        use = d.Use(f"account of {entry.key}", self.ledger.account, (), {"account_key": key}, entry.place)
        operation, decision = frame.decided(use, handed)
        output = next(i for i, f in enumerate(decision.outputs.values()) if f.type.kind == "ref")
        return f"v[{operation.index}][{output}]"
