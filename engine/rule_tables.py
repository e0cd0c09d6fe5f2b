"""Makes tables of what a pack declares, as an accountant expects them. Nothing is laid out or printed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .elements import Element
from .rule_words import cell_words, cells_words, pairs_words, steps_words, type_words, who_words, words
from .source import Body, Document, Route


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table: its texts by column, and the path of what it shows. `goes_on`: its row began above."""

    cells: Mapping[str, str]
    path: Route
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a definition. `groups` are columns that may be told in one, under a title, where room is scarce.

    `once` are the columns that a line which goes on need not say again. Those `above` stand over the lines of their
    row, those `beneath` below their line where room is scarce.
    """

    part: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    beneath: tuple[str, ...] = ()


def tables_of(document: Document) -> Iterator[Table]:
    """The tables of a definition: first the words that have no table of their own, then rows, states and the like."""
    e = Element(document, (), document.body)
    parts = PARTS.get(document.kind, {})
    shown = {word for words_ in parts for word in words_}
    if table := _particulars(e, [word for word in document.body if word not in ("doc", "source", *shown)]):
        yield table
    for words_, make in parts.items():
        if any(e.has(word) for word in words_):
            yield from make(e)


def _table(part: str, columns: Iterable[str], lines: Iterable[Line], **more: object) -> Table:
    """A table without the columns that say nothing."""
    made = tuple(lines)
    said = tuple(c for c in dict.fromkeys(columns) if any(line.cells.get(c) for line in made))
    return Table(part, said, made, **more)  # type: ignore[arg-type]


def _particulars(e: Element, names: Sequence[str]) -> Table | None:
    lines = [Line({"word": name.replace("_", " "), "says": _says(e.at(name).value)}, (name,)) for name in names]
    return _table("", ("word", "says"), lines) if lines else None


def _says(value: Body) -> str:
    """A value in words; of several things each has its line."""
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        return "\n".join(words(each) or "nothing" for each in value)
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_cell(inner)}" for name, inner in value.items())
    return words(value)


def _cell(value: Body) -> str:
    return cell_words(value) if isinstance(value, dict) and len(value) < 3 else words(value)


def _text(e: Element, *keys: str) -> dict[str, str]:
    return {key: words(e.at(key).value) for key in keys if e.has(key)}


# --- decisions and values --------------------------------------------------------------------------------------------


def _decision(e: Element) -> Iterator[Table]:
    rows = list(e.items("rows")) if isinstance(e.at("rows").value, list) else []
    asked = dict.fromkeys(name for row in rows for name, _ in row.pairs("when"))
    inputs = tuple(dict.fromkeys([*(n for n, _ in e.pairs("inputs") if n in asked), *asked]))
    outputs = {name: f"gives {name}" for name, _ in e.pairs("outputs")}
    if rows:
        columns = ("row", *inputs, *outputs.values(), "from", "until", "doc")
        groups = {"when": (*inputs, "from", "until"), "then": tuple(outputs.values())}
        yield _table("rows", columns, (_row(row, outputs) for row in rows), groups=groups)
    elif e.has("rows"):
        yield _table("rows", ("rows",), [Line({"rows": f"the records {words(e.at('rows').value)}"}, ("rows",))])
    lines = [Line({"column": name, "is": _input_words(x), **_text(x, "doc")}, x.path) for name, x in e.pairs("inputs")]
    lines += [Line({"column": outputs[n], "is": type_words(x.value), **_text(x, "doc")}, x.path)
              for n, x in e.pairs("outputs")]  # fmt: skip
    yield _table("columns", ("column", "is", "doc"), lines)


def _row(row: Element, outputs: Mapping[str, str]) -> Line:
    cells = {name: cell_words(cell.value) for name, cell in row.pairs("when")}
    cells |= {outputs.get(name, name): words(x.value) for name, x in row.pairs("then")}
    return Line({"row": row.word("name", str(row.path[-1])), **cells, **_text(row, "from", "until", "doc")}, row.path)


def _input_words(e: Element) -> str:
    if not isinstance(e.value, dict):
        return words(e.value)
    return f"{words(e.value['is'])}: {type_words(e.value)}" if e.has("is") else type_words(e.value)


def _parameters(e: Element) -> Iterator[Table]:
    lines = []
    for name, value in e.pairs("values"):
        about = {"name": name, "type": type_words(value.value), **_text(value, "doc")}
        lines += [Line({**about, **_text(row, "from", "until", "value")}, row.path, index > 0)
                  for index, row in enumerate(value.items("rows"))]  # fmt: skip
    once = ("name", "type", "doc")
    yield _table("values", ("name", "from", "until", "value", "type", "doc"), lines, once=once)


def _named(part: str, word: str) -> Callable[[Element], Iterator[Table]]:
    """A table of names with the formulas that they stand for."""

    def make(e: Element) -> Iterator[Table]:
        lines = [Line({"name": name, "formula": words(x.value)}, x.path) for name, x in e.pairs(word)]
        yield _table(part, ("name", "formula"), lines)

    return make


def _choices(e: Element) -> Iterator[Table]:
    by = words(e.at("choices").value.get("by"))
    chosen = [(name, choice) for name, choice in e.pairs("choices") if name != "by"]
    lines = [Line({by: name, "name": step, "formula": words(x.value)}, x.path, index > 0)
             for name, choice in chosen for index, (step, x) in enumerate(e.at("choices").pairs(name))]  # fmt: skip
    yield _table("choices", (by, "name", "formula"), lines, once=(by,))


# --- postings --------------------------------------------------------------------------------------------------------


ROW = ("name", "doc", "when", "entries")  # words of a posting's row that have columns of their own
# What an entry says for itself, beside what its row says for all of its entries.
OF_ENTRY = {"dimensions": "entry's dimensions", "account_by": "entry's account by"}


def _posting(e: Element) -> Iterator[Table]:
    rows = list(e.items("rows"))
    asked = tuple(dict.fromkeys(name for row in rows for name, _ in row.pairs("when")))
    further = tuple(dict.fromkeys(_spaced(word) for row in rows for word in row.value if word not in ROW))
    columns = ("row", *asked, "debit", "credit", "amount", *OF_ENTRY.values(), *further, "doc")
    lines = (line for row in rows for line in _entries(row))
    yield _table("rows", columns, lines, groups={"when": asked}, once=("row", *asked, *further, "doc"),
                 above=("row", "doc", *further), beneath=tuple(OF_ENTRY.values()))  # fmt: skip


def _entries(row: Element) -> Iterator[Line]:
    about = {"row": row.word("name", str(row.path[-1])), **_text(row, "doc")}
    about |= {name: cell_words(cell.value) for name, cell in row.pairs("when")}
    about |= {_spaced(word): _told(row.at(word).value) for word in row.value if word not in ROW}
    if not row.value.get("entries"):  # nothing is written on purpose
        yield Line(about, row.path)
    for index, entry in enumerate(row.items("entries")):
        own = {OF_ENTRY.get(word, word): _told(value) for word, value in entry.value.items()}
        yield Line({**about, **own}, entry.path, index > 0)


def _told(value: Body) -> str:
    return pairs_words(value) if isinstance(value, dict) else _says(value)


def _spaced(word: str) -> str:
    return word.replace("_", " ")


# --- records and workflows -------------------------------------------------------------------------------------------


def _fields(word: str) -> Callable[[Element], Iterator[Table]]:
    def make(e: Element) -> Iterator[Table]:
        lines = [Line({"field": n, "type": type_words(x.value), **_text(x, "default", "mirror", "doc")}, x.path)
                 for n, x in e.pairs(word)]  # fmt: skip
        yield _table(word, ("field", "type", "default", "mirror", "doc"), lines)

    return make


def _children(e: Element) -> Iterator[Table]:
    lines = [Line({"children": name, **_text(x, "of", "by", "doc")}, x.path) for name, x in e.pairs("children")]
    yield _table("children", ("children", "of", "by", "doc"), lines)


def _states(e: Element) -> Iterator[Table]:
    lines = []
    for name, state in e.pairs("states"):
        final = {"final": "final"} if state.flag("final") else {}
        lines.append(Line({"state": name, **final, **_text(state, "waits_for", "late_after", "doc")}, state.path))
    yield _table("states", ("state", "final", "waits_for", "late_after", "doc"), lines)


HOW = ("when", "takes", "finds", "decides", "names", "requires", "warns", "does")


def _transitions(e: Element) -> Iterator[Table]:
    columns = ("from", "event", "to", "who", *HOW, "doc", "source")
    yield _table("transitions", columns, map(_transition, e.items("transitions")), beneath=HOW)


def _transition(e: Element) -> Line:
    name = e.word("name")
    event = f"{e.word('event')} ({name})" if name else e.word("event")
    cells = {
        "from": " or ".join(e.words("from")), "event": event, "to": e.word("to"), "who": who_words(e.at("who").value),
        "when": cells_words(e.at("when").value), "takes": _takes(e.at("takes").value), "finds": _says_all(e, "find"),
        "decides": pairs_words(e.at("decide").value) if e.has("decide") else "", "names": _says_all(e, "let"),
        "requires": _requirements(e, "require"), "warns": _requirements(e, "warn"),
        "does": steps_words(e.at("do").value),
    }  # fmt: skip
    return Line({**cells, **_text(e, "source", "doc")}, e.path)


def _takes(takes: Body) -> str:
    if not isinstance(takes, dict):
        return words(takes) if takes else ""
    return ", ".join(f"{name} ({_taken(x)})" if isinstance(x, dict) else name for name, x in takes.items())


def _taken(field: dict[str, Body]) -> str:
    return ", ".join(filter(None, (type_words(field), words(field.get("doc", "")).rstrip("."))))


def _says_all(e: Element, word: str) -> str:
    return "\n".join(f"{name} = {words(x.value)}" for name, x in e.pairs(word))


def _requirements(e: Element, word: str) -> str:
    return "\n".join(_requirement(r) for r in e.items(word))


def _requirement(e: Element) -> str:
    called = f"{e.word('name')}: " if e.has("name") else ""
    return f"{called}{words(e.at('that').value)}, else: {words(e.at('else').value)}"


# --- the rest --------------------------------------------------------------------------------------------------------


def _listed(word: str) -> Callable[[Element], Iterator[Table]]:
    """A table of the things of a list, a column for each word that any of them says."""

    def make(e: Element) -> Iterator[Table]:
        things = [x for x in e.items(word) if isinstance(x.value, dict)]
        columns = dict.fromkeys(name.replace("_", " ") for x in things for name in x.value if name != "doc")
        lines = [Line({n.replace("_", " "): words(v) for n, v in x.value.items()}, x.path) for x in things]
        yield _table(word, (*columns, "doc"), lines, groups={"says": tuple(columns)[1:]})

    return make


def _mapped(word: str, first: str) -> Callable[[Element], Iterator[Table]]:
    def make(e: Element) -> Iterator[Table]:
        lines = [Line({first: name, "is": words(x.value)}, x.path) for name, x in e.pairs(word)]
        yield _table(word, (first, "is"), lines)

    return make


def _written(e: Element) -> Iterator[Table]:
    """What a limit creates of a claim, and when."""
    yield _table("writes", ("when", "creates", "with", "doc"), _creations(e, ()))


def _creations(e: Element, outer: tuple[str, ...]) -> Iterator[Line]:
    for step in e.items("do"):
        cells = (*outer, *filter(None, [cells_words(step.at("when").value)]))
        if step.has("do"):
            yield from _creations(step, cells)
        else:
            with_ = "\n".join(f"{name} = {words(x.value)}" for name, x in step.pairs("with"))
            told = {"when": ", ".join(cells), "creates": step.word("create"), "with": with_}
            yield Line({**told, **_text(step, "doc")}, step.path)


Parts = dict[tuple[str, ...], Callable[[Element], Iterator[Table]]]
PARTS: dict[str, Parts] = {
    "decision": {("rows", "inputs", "outputs"): _decision},
    "parameters": {("values",): _parameters},
    "formulas": {("steps",): _named("steps", "steps"), ("choices",): _choices},
    "posting": {("let",): _named("names", "let"), ("rows",): _posting},
    "record": {("fields",): _fields("fields"), ("children",): _children},
    "workflow": {("states",): _states, ("transitions",): _transitions},
    "statement": {("takes",): _fields("takes"), ("figures",): _listed("figures")},
    "process": {("takes",): _fields("takes")},
    "master": {("rows",): _listed("rows")},
    "mapping": {("fields",): _mapped("fields", "field"), ("events",): _mapped("events", "activity")},
    "share_out": {("let",): _named("names", "let")},
    "limit": {("let",): _named("names", "let"), ("do",): _written},
    "pack": {("roles",): _mapped("roles", "role")},
}
