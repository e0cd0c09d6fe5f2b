"""What a rule says, in the words of those who read tables: conditions, types, people, steps. Nothing is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .source import Body

BOUNDS = {"above": "above", "at_least": "at least", "below": "below", "at_most": "at most"}


def cell_words(cell: Body) -> str:
    """What a cell of a `when` asks."""
    if isinstance(cell, list):
        return " or ".join(map(str, cell))
    if not isinstance(cell, dict):
        return "" if cell is None else str(cell)
    for word, other in (("empty", "given"), ("given", "empty")):
        if word in cell:
            return word if cell[word] == "true" else other
    return " and ".join(f"{BOUNDS.get(bound, bound)} {words(value)}" for bound, value in cell.items())


def cells_words(cells: Body) -> str:
    """All cells of a `when` in a line."""
    pairs = cells.items() if isinstance(cells, dict) else ()
    return ", ".join(f"{name} {cell_words(cell)}" for name, cell in pairs)


def type_words(field: Any) -> str:
    """The type of a declared field."""
    if not isinstance(field, dict):
        return words(field)
    if "ref" in field:
        said = f"reference to {field['ref']}"
    elif "one_of" in field:
        said = f"one of {', '.join(map(str, field['one_of']))}"
    else:
        said = str(field.get("type", "")).replace("_", " ")
    said += f" in {words(field['in'])}" if "in" in field else ""
    return f"{said}, may be empty" if field.get("optional") == "true" else said


def who_words(who: Body) -> str:
    """Who may: any one of these suffices."""
    every = who if isinstance(who, list) else [who] if who else []
    return " or ".join(_one_who(each) for each in every)


def _one_who(who: Body) -> str:
    if not isinstance(who, dict):
        return words(who)
    of = f" of {who['of']}" if "of" in who else ""
    if "role" in who:
        return f"{words(who['role'])}{of}"
    if "field" in who:
        return f"the {words(who['field'])}"
    where = f" ({pairs_words(who['where'])})" if "where" in who else ""
    return f"as {words(who.get('decision'))} says{where}{of}"


def steps_words(steps: Body) -> str:
    """What is done, a line for each step; what a condition governs is moved in."""
    return "\n".join(_steps(steps, ""))


def _steps(steps: Body, indent: str) -> Iterator[str]:
    for step in steps if isinstance(steps, list) else []:
        if not isinstance(step, dict):
            continue
        inner = indent
        if when := cells_words(step.get("when")):
            yield f"{indent}where {when}:"
            inner = indent + "  "
        if "do" in step:
            yield from _steps(step["do"], inner)
        else:
            yield f"{inner}{step_words(step)}"


def step_words(step: dict[str, Body]) -> str:
    """One step, with what it is for."""
    said = _step(step)
    about = [words(step[word]).rstrip(".") for word in ("doc", "source") if word in step]
    return f"{said} ({', '.join(about)})" if about else said


def _step(step: dict[str, Body]) -> str:
    if isinstance(step.get("set"), dict):
        return f"set {pairs_words(step['set'])}"
    verb = next((v for v in ("create", "post", "reverse", "fire") if v in step), "")
    if verb == "reverse":
        return f"reverse {pairs_words(step[verb])}"
    said = f"{verb} {words(step.get(verb))}".strip()
    if "records" in step:
        said += f" on {words(step['records'])}"
    if "for_each" in step:
        said += f" for each of {words(step['for_each'])}"
    for word in ("name", "event", "copy_of", "mirror_of", "link", "with", "as"):
        if word in step:
            value = step[word]
            said += f", {word.replace('_', ' ')} {pairs_words(value) if isinstance(value, dict) else words(value)}"
    return said


def pairs_words(pairs: Body) -> str:
    """Names with what they are."""
    if not isinstance(pairs, dict):
        return words(pairs)
    return ", ".join(f"{name} = {words(value)}" for name, value in pairs.items())


def words(body: Body) -> str:
    """Anything that is written in a rule, in one line."""
    if isinstance(body, list):
        return ", ".join(f"({words(each)})" if isinstance(each, dict | list) else words(each) for each in body)
    if isinstance(body, dict):
        return ", ".join(_pair(name, value) for name, value in body.items())
    return "none" if body is None else " ".join(str(body).split())


def _pair(name: str, value: Body) -> str:
    if name == "when":
        return f"when {cells_words(value)}" if value else "always"
    if name in BOUNDS:
        return f"{BOUNDS[name]} {words(value)}"
    if name == "then":
        return f"then {words(value)}"
    if name == "doc":
        return words(value).rstrip(".")
    return f"{name} ({words(value)})" if isinstance(value, dict) else f"{name} {words(value)}"
