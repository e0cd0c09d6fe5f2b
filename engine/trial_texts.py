"""A rule test as people write it: YAML with a step in a line where there is room. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

WIDTH = 120
# What YAML reads as it stands, within brackets as well; all else is put in quotes.
PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/+()-]*[A-Za-z0-9._)])?|-[0-9.]+")
OTHERWISE = {"null", "yes", "no", "on", "off"}


def as_yaml(body: dict[str, Any]) -> str:
    """A test as people write it: a step in a line where there is room."""
    return "".join(f"{line}\n" for line in _lines(body, 0))


def _lines(body: dict[str, Any], indent: int) -> Iterator[str]:
    for name, value in body.items():
        yield from _pair(name, value, indent)


def _pair(name: str, value: Any, indent: int) -> Iterator[str]:
    blank = " " * indent
    whole = f"{blank}{name}: {_flow(value)}"
    is_list = isinstance(value, list) and value and isinstance(value[0], dict)
    if not is_list and (len(whole) <= WIDTH or not isinstance(value, dict)):
        yield whole
    elif is_list:
        yield f"{blank}{name}:"
        for each in value:
            yield from _item(each, indent + 2)
    elif any(isinstance(inner, dict | list) for inner in value.values()):
        yield f"{blank}{name}:"
        yield from _lines(value, indent + 2)
    else:
        yield from _filled(f"{blank}{name}: {{", [f"{n}: {_flow(v)}" for n, v in value.items()], indent + 2)


def _item(value: dict[str, Any], indent: int) -> Iterator[str]:
    blank = " " * indent
    line = f"{blank}- {_flow(value)}"
    if len(line) <= WIDTH and not any(isinstance(v, list) and v and isinstance(v[0], dict) for v in value.values()):
        yield line
        return
    inner = [*_lines(value, indent + 2)]
    yield f"{blank}- {inner[0][indent + 2 :]}"
    yield from inner[1:]


def _filled(begin: str, pairs: Sequence[str], indent: int) -> Iterator[str]:
    """Pairs in brackets over as many lines as they need."""
    line = begin
    for index, pair in enumerate(pairs):
        said = pair + ("}" if index == len(pairs) - 1 else ",")
        if len(line) + 1 + len(said) > WIDTH and not line.endswith("{"):
            yield line
            line = " " * indent + said
        else:
            line += said if line.endswith("{") else f" {said}"
    yield line


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{n}: {_flow(v)}' for n, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return scalar(str(value))


def scalar(text: str) -> str:
    """A text as YAML takes it, in quotes only where it needs them."""
    is_plain = PLAIN.fullmatch(text) and text.lower() not in OTHERWISE
    return text if is_plain else json.dumps(text, ensure_ascii=False)
