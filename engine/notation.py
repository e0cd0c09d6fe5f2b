"""How people write values: `convert` is the one place where a text, in a file or given to a command, becomes a value.

Nothing is looked up in a store here: a reference stays the text of a key.
"""

from __future__ import annotations

import re
from collections import abc
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from .definitions import Field
from .frozen import frozen
from .model import NUMERIC, SCALES, Type
from .money import LARGEST_KEPT, ZERO, parse, shown, to_kept
from .source import did_you_mean, printable

Value: TypeAlias = "str | int | Decimal | date | bool | None"


class KeyText(str):
    """The key of a record as people write it, its parts joined by `/`; not yet looked up."""

    __slots__ = ()


@frozen
class Notation:
    """How values are written in a file; the defaults are the plain notation."""

    decimal: str = "."
    thousands: str = ""
    date: str = "yyyy-mm-dd"
    century: int | None = None
    yes: str = "true"
    no: str = "false"


PLAIN = Notation()


def convert(text: str | None, field: Field, notation: Notation = PLAIN) -> Value:
    """The value that a text stands for; raises ValueError saying what is wrong and what would be accepted.

    An empty text is none. Texts and keys are kept to the letter; around everything else blanks do not count.
    """
    kind = field.type.kind
    if kind not in ("text", "ref"):
        text = (text or "").strip()
    if not text:
        if field.type.optional:
            return None
        raise ValueError(f"a value is needed: {accepted(field, notation)}")
    if kind in NUMERIC:
        return _number(text, kind, notation)
    if kind not in _CONVERTERS:
        raise ValueError(f"a {field.type} cannot be given as a text")
    return _CONVERTERS[kind](text, field.type, notation)


def as_text(value: Value) -> str:
    """The text that `convert` reads as that value, in the plain notation."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    return shown(value) if isinstance(value, int | Decimal) else str(value)


def counted(count: int, word: str) -> str:
    """How many there are of something, as in `1 row` and `1,000 rows`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def accepted(field: Field, notation: Notation = PLAIN) -> str:
    """What may be given for a field, for a message."""
    type_ = field.type
    if type_.kind in NUMERIC:
        return _number_accepted(type_.kind, notation)
    said = {
        "date": _date_accepted(notation),
        "time": "a moment with its time zone, such as 2026-03-31T17:30:00+02:00",
        "yes_or_no": f"{notation.yes} or {notation.no}",
        "ref": f"the key of a {type_.of}, its parts joined by `/`",
    }
    return said.get(type_.kind, str(type_.given()))


def _number_accepted(kind: str, notation: Notation) -> str:
    point, places = notation.decimal, SCALES[kind]
    sample = f"1{notation.thousands}234"
    if not places:
        return f"a whole number, such as {sample}"
    return f"a number, such as {sample}{point}5 (at most {places} digits behind the `{point}`)"


def _wrong(text: str, said: str) -> ValueError:
    return ValueError(f"`{printable(text)}` {said}")


# --- numbers ---------------------------------------------------------------------------------------------------------


def _number(text: str, kind: str, notation: Notation) -> Value:
    plain = _plain_number(text, notation)
    try:
        value = parse(plain) if plain else None
    except ValueError:
        value = None
    if value is None:
        raise _wrong(text, f"is not {_number_accepted(kind, notation)}")
    # The digits are counted in the text: arithmetic could round them away before they are missed.
    whole, _, behind = plain.partition(".")
    if len(behind.rstrip("0")) > SCALES[kind]:
        raise _wrong(text, f"has too many digits: give {_number_accepted(kind, notation)}; nothing is rounded")
    if len(whole.lstrip("+-0")) > len(str(LARGEST_KEPT)):
        raise _wrong(text, "is too large to be kept")
    to_kept(value, kind)
    return int(value) if kind == "whole" else value or ZERO


def _plain_number(text: str, notation: Notation) -> str:
    """The number in the plain notation; empty where it is not one in its own."""
    if (notation.decimal, notation.thousands) == (PLAIN.decimal, PLAIN.thousands):
        return text
    found = _number_pattern(notation.decimal, notation.thousands).fullmatch(text)
    if not found:
        return ""
    whole = found["whole"].replace(notation.thousands, "") if notation.thousands else found["whole"]
    return f"{found['sign']}{whole}.{found['behind'] or '0'}"


@lru_cache(maxsize=64)
def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    grouped = f"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|" if thousands else ""
    return re.compile(f"(?P<sign>[+-]?)(?P<whole>{grouped}[0-9]+)(?:{re.escape(decimal)}(?P<behind>[0-9]+))?")


# --- days and moments ------------------------------------------------------------------------------------------------

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TOKENS = {"yyyy": "[0-9]{4}", "yy": "[0-9]{2}", "mmm": "|".join(MONTHS), "mm": "[0-9]{2}", "m": "[0-9]{1,2}",
           "dd": "[0-9]{2}", "d": "[0-9]{1,2}"}  # fmt: skip
_TOKEN = re.compile("[a-zA-Z]+")


def _date(text: str, _: Type, notation: Notation) -> Value:
    found = date_pattern(notation.date).fullmatch(text)
    if not found:
        raise _wrong(text, f"is not {_date_accepted(notation)}")
    named = found["m"].lower()
    month = MONTHS.index(named) + 1 if named in MONTHS else int(found["m"])
    year = int(found["y"]) + ((notation.century or 0) if len(found["y"]) == 2 else 0)
    try:
        return date(year, month, int(found["d"]))
    except ValueError:
        raise _wrong(text, f"is not a day of the calendar; give {_date_accepted(notation)}") from None


@lru_cache(maxsize=64)
def date_pattern(form: str) -> re.Pattern[str]:
    """The pattern of a date form; raises ValueError where the form is not one."""
    pattern, end, letters = "", 0, ""
    for token in _TOKEN.finditer(form):
        if token[0] not in _TOKENS:
            raise ValueError(f"`{token[0]}` is no part of a date; parts are {', '.join(_TOKENS)}")
        pattern += re.escape(form[end : token.start()]) + f"(?P<{token[0][0]}>{_TOKENS[token[0]]})"
        letters, end = letters + token[0][0], token.end()
    if sorted(letters) != ["d", "m", "y"]:
        raise ValueError(f"`{form}` must hold one day, one month and one year, such as dd-mmm-yy")
    return re.compile(pattern + re.escape(form[end:]), re.IGNORECASE)


def _date_accepted(notation: Notation) -> str:
    return f"a date written {notation.date}, such as {_written(date(2026, 3, 31), notation.date)}"


def _written(day: date, form: str) -> str:
    """A day in a date form."""
    named = MONTHS[day.month - 1].capitalize()
    values = {"yyyy": f"{day.year:04}", "yy": f"{day.year % 100:02}", "mmm": named, "mm": f"{day.month:02}",
              "m": str(day.month), "dd": f"{day.day:02}", "d": str(day.day)}  # fmt: skip
    return _TOKEN.sub(lambda token: values.get(token[0], token[0]), form)


def _moment(text: str, _: Type, notation: Notation) -> Value:
    """A moment as the store keeps it: ISO text in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _wrong(text, "is not a moment with its time zone, such as 2026-03-31T17:30:00+02:00")
    return moment.astimezone(UTC).isoformat()


# --- the other kinds -------------------------------------------------------------------------------------------------


def _yes_or_no(text: str, _: Type, notation: Notation) -> Value:
    if text not in (notation.yes, notation.no):
        raise _wrong(text, f"is neither {notation.yes} nor {notation.no}")
    return text == notation.yes


def _choice(text: str, type_: Type, _: Notation) -> Value:
    if text in type_.choices:
        return text
    near = did_you_mean(text, type_.choices)
    raise _wrong(text, f"is not one of {', '.join(type_.choices)}" + (f"; {near}" if near else ""))


_CONVERTERS: abc.Mapping[str, Callable[[str, Type, Notation], Value]] = {
    "text": lambda text, _, __: text,
    "ref": lambda text, _, __: KeyText(text),
    "date": _date,
    "time": _moment,
    "yes_or_no": _yes_or_no,
    "choice": _choice,
}
