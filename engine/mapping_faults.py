"""Says what is wrong with a mapping, seen without a file."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Iterator

from .definitions import Field
from .errors import Diagnostic, Place
from .mapping_definitions import FieldMapping, Mapping
from .model import NUMERIC
from .notation import PLAIN, convert, date_pattern
from .source import did_you_mean


def mapping_faults(
    mapping: Mapping,
    fields: abc.Mapping[str, Field],
    creation_fields: Callable[[str], abc.Mapping[str, Field]],
) -> list[Diagnostic]:
    """What is wrong with a mapping, seen without a file."""
    found = [*_fields_faults(mapping.fields, fields, mapping.to, mapping.place)]
    for creation in mapping.creates:
        found += _fields_faults(creation.fields, creation_fields(creation.record), creation.record, creation.place)
    for beside in mapping.beside.values():
        if len(beside.by) != len(beside.one_per):
            said = f"`{beside.name}` is joined by {len(beside.by)} columns, but `one_per` names {len(beside.one_per)}"
            found.append(_fault(said, beside.place, "name as many columns in both, in the same order"))
    return found


def _fault(said: str, place: Place, hint: str = "") -> Diagnostic:
    return Diagnostic("R180", said, place, hint=hint)


def _fields_faults(
    mapped: tuple[FieldMapping, ...], fields: abc.Mapping[str, Field], record: str, place: Place
) -> Iterator[Diagnostic]:
    for m in mapped:
        if m.name in fields:
            yield from _field_faults(m, fields[m.name])
        else:
            near = did_you_mean(m.name, fields) or f"it takes {', '.join(fields)}"
            yield _fault(f"`{m.name}` is nothing that the creation of `{record}` takes", m.place, near)
    missing = [name for name, f in fields.items() if f.needed and name not in {m.name for m in mapped}]
    if missing:
        yield _fault(f"the creation of `{record}` also needs {', '.join(missing)}", place, "say where they come from")


def _field_faults(m: FieldMapping, taken: Field) -> Iterator[Diagnostic]:
    kind = taken.type.kind
    if m.parts and kind != "ref":
        yield _fault(f"`{m.name}` is a {taken.type} and has no key", m.place, "use `from`")
    if m.empty == "none" and not taken.type.optional:
        yield _fault(f"`{m.name}` must be given and cannot be none", m.place, "leave `empty` out, or give a value")
    for constant in filter(None, (m.constant, m.empty if m.empty != "none" else None)):
        try:
            convert(constant, taken)
        except ValueError as error:
            yield _fault(f"`{m.name}`: {error}", m.place)
    for part in m.parts or (m,):
        yield from _notation_faults(part, kind)


def _notation_faults(m: FieldMapping, kind: str) -> Iterator[Diagnostic]:
    notation = m.notation
    signs = notation.decimal, notation.thousands
    if signs != (PLAIN.decimal, PLAIN.thousands) and (len(signs[0]) != 1 or len(signs[1]) > 1 or signs[0] == signs[1]):
        yield _fault("`decimal` and `thousands` are one character each, and not the same", m.place)
    if notation.yes == notation.no:
        yield _fault("yes and no are written alike", m.place)
    kinds = {"date": notation.date != PLAIN.date, "number": signs != (PLAIN.decimal, PLAIN.thousands),
             "yes_or_no": (notation.yes, notation.no) != (PLAIN.yes, PLAIN.no)}  # fmt: skip
    own = "number" if kind in NUMERIC else kind
    for wrong in (said for said, is_said in kinds.items() if is_said and kind != "ref" and said != own):
        yield _fault(f"`{m.name}` is a {kind}; its `as` says how a {wrong} is written", m.place)
    yield from _date_form_faults(m)


def _date_form_faults(m: FieldMapping) -> Iterator[Diagnostic]:
    try:
        date_pattern(m.notation.date)
    except ValueError as error:
        yield _fault(str(error), m.place)
        return
    if "yyyy" not in m.notation.date and m.notation.century is None:
        yield _fault("a year of two digits needs its `century`", m.place, "such as `century: 2000`")
