"""Which columns of which file a mapping reads, and whether the files have them."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .definitions import Field, Text
from .errors import InvalidInput
from .mapping_definitions import Mapping
from .readers import columns_in
from .source import did_you_mean, printable

# The column that an import adds to the rows it refused; when they are mended and imported again it says nothing.
REFUSED_BECAUSE = "refused_because"


def template(mapping: Mapping, fields: abc.Mapping[str, Field]) -> list[str]:
    """The header of an empty file: the columns of the main file that the mapping reads, each once."""
    if mapping.by_name:
        return list(fields)
    return list(dict.fromkeys(column.text for column in columns_read(mapping)[""]))


def check_files(mapping: Mapping, files: abc.Mapping[str, Path]) -> None:
    """Refuse files too few or too many."""
    missing = [name for name in ("", *mapping.beside) if name not in files]
    if missing:
        said = ", ".join(f"`{name}`" if name else "the main one" for name in missing)
        raise InvalidInput(f"the mapping `{mapping.name}` also reads a file that is not given: {said}")
    for name in files:
        if name and name not in mapping.beside:
            there = did_you_mean(name, mapping.beside) or f"there are: {', '.join(mapping.beside) or 'none'}"
            raise InvalidInput(f"the mapping `{mapping.name}` reads no second file `{name}`; {there}")


def check_columns(mapping: Mapping, fields: abc.Mapping[str, Field], files: abc.Mapping[str, Path]) -> Mapping:
    """Refuse columns that are not there; a mapping by name is cut down to those that are."""
    forms = {"": mapping.form, **{name: b.form for name, b in mapping.beside.items()}}
    said: list[str] = []
    for name, wanted in columns_read(mapping).items():
        form = forms[name]
        there = columns_in(files[name], form.form, form.encoding, form.separator, form.rows)
        if mapping.by_name:
            said += _wrong_columns(files[name], there, fields)
            mapping = replace(mapping, fields=tuple(m for m in mapping.fields if m.name in there))
        elif there:  # A json or xml file without a row has no columns.
            said += _missing_columns(files[name], there, wanted)
    if said:
        raise InvalidInput("\n".join(said))
    return mapping


def columns_read(mapping: Mapping) -> dict[str, list[Text]]:
    """The columns that are read of each file, by the file's name."""
    found: dict[str, list[Text]] = {"": [], **{name: [*b.one_per] for name, b in mapping.beside.items()}}
    for column in columns_named(mapping):
        file, name = located(column.text, mapping)
        found[file].append(Text(name, column.place))
    return found


def columns_named(mapping: Mapping) -> Iterator[Text]:
    """Every column that the mapping names, as it names it."""
    yield from mapping.one_per
    for beside in mapping.beside.values():
        yield from beside.by
    for m in (*mapping.fields, *(m for creation in mapping.creates for m in creation.fields)):
        yield from m.all_columns()
    yield from mapping.must_agree


def located(column: str, mapping: Mapping) -> tuple[str, str]:
    """The file (by its name in `beside`, else "") and the column in it."""
    head, _, rest = column.partition(".")
    return (head, rest) if head in mapping.beside else ("", column)


def _missing_columns(path: Path, there: tuple[str, ...], wanted: list[Text]) -> Iterator[str]:
    missing = {column.text: column for column in reversed(wanted) if column.text not in there}
    for name, column in sorted(missing.items(), key=lambda item: item[1].place):
        near = did_you_mean(name, there)
        yield f"{path}: there is no column `{name}` [{column.place}]" + (f"; {near}" if near else "")
    if missing:
        yield f"{path}: the columns are {printable(', '.join(there), 1000)}"
        yield from _other_separator(path, there)


def _other_separator(path: Path, there: tuple[str, ...]) -> Iterator[str]:
    """That the columns are told apart by something else, where all of them are read as one."""
    for mark in ";\t|" if len(there) == 1 else "":
        if mark in there[0]:
            named = "tab" if mark == "\t" else mark
            said = f'a mapping says `file: {{separator: "{named}"}}`'
            yield f"{path}: its columns seem to be told apart by `{named}`: {said}"


def _wrong_columns(path: Path, there: tuple[str, ...], fields: abc.Mapping[str, Field]) -> Iterator[str]:
    unknown = [name for name in there if name not in fields and name != REFUSED_BECAUSE]
    missing = [name for name, taken in fields.items() if taken.needed and name not in there]
    for name in unknown:
        near = did_you_mean(name, fields)
        yield f"{path}: the column `{printable(name)}` is not known" + (f"; {near}" if near else "")
    for name in missing if there else []:
        yield f"{path}: the column `{name}` is missing; it is needed"
    if unknown or (missing and there):
        yield f"{path}: columns may be {', '.join(fields)}"
        yield from _other_separator(path, there)
