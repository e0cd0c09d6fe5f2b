"""The command `completion`: a script for a shell, and the words that it then asks for, from the pack alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from .errors import DONE, UsageFault
from .pack_files import library
from .pack_words import PackWords, Word

# What may stand for a parameter of a command, by the name of the parameter.
KINDS = {
    "record": "record",
    "process": "process",
    "statement": "statement",
    "mapping": "mapping",
    "workflow": "workflow",
}
READ = (
    "record",
    "workflow",
    "decision",
    "parameters",
    "formulas",
    "measure",
    "calendar",
    "posting",
    "process",
    "statement",
    "mapping",
)


def print_script(shell: str, command: click.Command) -> int:
    """Print what a shell must read to complete the words of a command line."""
    found = get_completion_class(shell)
    if found is None:
        raise UsageFault(f"There is no completion for `{shell}`.")
    print(found(command, {}, "charter", "_CHARTER_COMPLETE").source())
    return DONE


def completed(parameter: str, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """What a word may become that stands for a parameter of that name; `ctx` holds the words before it."""
    look = LOOKS.get(parameter)
    words = look(pack_words(ctx), ctx) if look else []
    return [CompletionItem(w.name, help=w.doc or None) for w in words if w.name.startswith(incomplete)]


def pack_words(ctx: click.Context) -> PackWords:
    """The pack that is asked for, by name or folder; the base pack where none is."""
    asked, known = ctx.find_root().params.get("pack"), library()
    return PackWords(known.folder(asked or "base") or Path(asked or ""))


def named(kind: str) -> Callable[[PackWords, click.Context], list[Word]]:
    return lambda words, _: words.names(kind)


def argument(ctx: click.Context, name: str) -> str:
    """An argument that was typed before; where the line ends with an option, they are not told apart yet."""
    place = [p.name for p in ctx.command.params if isinstance(p, click.Argument)].index(name)
    return str(ctx.params.get(name) or next(iter(ctx.args[place : place + 1]), ""))


def events(words: PackWords, ctx: click.Context) -> list[Word]:
    return words.events(argument(ctx, "record"), by_hand=ctx.info_name == "fire")


def fields(words: PackWords, ctx: click.Context) -> list[Word]:
    return [Word(f"{w.name}=") for w in words.taken_by(argument(ctx, "record"), argument(ctx, "event"))]


def given(words: PackWords, ctx: click.Context) -> list[Word]:
    """What a process or statement takes and was not given yet."""
    kind = next((k for k in ("process", "statement") if k in ctx.params), "process")
    said = {text.partition("=")[0] for text in ctx.params.get("given") or ()}
    return [Word(f"{w.name}=", w.doc) for w in words.takes(kind, str(ctx.params.get(kind))) if w.name not in said]


def subject(words: PackWords, ctx: click.Context) -> list[Word]:
    """A record type to be explained; whatever a pack has to be read."""
    if ctx.params.get("subject"):
        return []
    return [word for kind in (("record",) if ctx.info_name == "why" else READ) for word in words.names(kind)]


def tests(words: PackWords, ctx: click.Context) -> list[Word]:
    return words.names("test") if ctx.info_name == "test" else []


def warnings(words: PackWords, _: click.Context) -> list[Word]:
    return words.warnings()


LOOKS: dict[str, Callable[[PackWords, click.Context], list[Word]]] = {
    **{name: named(kind) for name, kind in KINDS.items()},
    "event": events, "sets": fields, "given": given, "subject": subject, "name": tests, "acknowledge": warnings,
}  # fmt: skip
