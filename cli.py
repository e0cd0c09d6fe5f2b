"""The command line: parses arguments, calls the engine, says what went wrong. What commands do stands in the engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .engine.errors import FAULT, USAGE, CharterFault, UsageFault
from .engine.frozen import frozen
from .engine.interruption import one_press_ends

if TYPE_CHECKING:
    from .engine.commands import Call

INTERRUPTED, PIPE_CLOSED = 130, 141
GLOBAL = ("--db", "--pack", "--as", "-o", "--output", "--debug")
NAMED = {
    "conform": "Workflows",
    "import": "Mappings",
    "list": "Record types",
    "run": "Processes",
    "report": "Statements",
}


@frozen
class Options:
    """What was said for all commands."""

    db: str
    pack: str | None
    actor: str | None
    form: str | None
    debug: bool


# --- how a command ends ----------------------------------------------------------------------------------------------


class CommandLine(click.Group):
    """Ends every command with its exit code, and with a traceback only where that was asked for."""

    debug = False

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        self.debug = False
        try:
            with one_press_ends():
                code = super().main(args, prog_name, standalone_mode=False)
            sys.stdout.flush()
        except Exception as error:
            if self.debug and not isinstance(error, click.ClickException):
                import traceback

                traceback.print_exception(error)
            code = ended_by(error)
        sys.exit(code or 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return pipe_closed()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(with_guess(error.message, args[0], self.commands), ctx) from None


class PackCommand(click.Command):
    """A command whose help takes its examples from the pack, and completion the words for parameters of these names."""

    completed = ("record", "event", "process", "statement", "mapping", "workflow", "subject", "given", "sets", "name",
                 "acknowledge")  # fmt: skip

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for parameter in self.params:
            if parameter.name in self.completed:
                parameter._custom_shell_complete = from_pack

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from .engine.commands_help import help_for

        options = ctx.find_object(Options)
        examples, names = help_for(self.name or "", options.pack if options else None)
        if names:
            with formatter.section(f"{NAMED.get(self.name or '', 'Names')} of the pack"):
                formatter.write_dl(names)
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"  {example}\n")


def from_pack(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The words of the pack that may stand for a parameter."""
    from .engine.commands_completion import completed

    return completed(parameter.name or "", ctx, incomplete)


def ended_by(error: BaseException) -> int:
    """Say what ended a command; gives the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return USAGE
    if isinstance(error, click.ClickException):
        return ended_by_usage(error)
    if isinstance(error, click.Abort):
        click.echo("stopped: what was finished stands, the rest is as it was; the same command goes on.", err=True)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return pipe_closed()
    if isinstance(error, CharterFault):
        click.echo(str(error), err=True)
        return error.exit_code
    return ended_by_fault(error)


def ended_by_usage(error: click.ClickException) -> int:
    error.show()
    if isinstance(error, click.NoSuchOption) and error.option_name in GLOBAL:
        click.echo(f"{error.option_name} stands before the command: charter {error.option_name} … COMMAND", err=True)
    return error.exit_code


def pipe_closed() -> int:
    """Whoever read has enough: nothing more is printed, and nothing is said."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def with_guess(message: str, word: str, words: Iterable[str]) -> str:
    """A message with the word that was probably meant."""
    from .engine.source import did_you_mean

    near = did_you_mean(word, words)
    return f"{message.rstrip('.')}; {near}" if near else message


def ended_by_fault(error: BaseException) -> int:
    """What no part of the engine foresaw: trouble with the database has words of its own."""
    if "sqlalchemy" in sys.modules:
        from .engine.commands_faults import said_of

        if said := said_of(error):
            click.echo(str(said), err=True)
            return said.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        click.echo(f"{error.filename}: {error.strerror or error}", err=True)
        return USAGE
    if isinstance(error, UnicodeError):
        click.echo(f"What was given is not text: {error}", err=True)
        return USAGE
    reason = " ".join(str(error).split()) or "no reason given"
    click.echo(f"fault: {type(error).__name__}: {reason}", err=True)
    click.echo("This is a fault of the program. `charter --debug …` shows where it arose.", err=True)
    return FAULT


# --- all commands ----------------------------------------------------------------------------------------------------


def called(ctx: click.Context) -> Call:
    """What a command works with."""
    from .engine.commands import Call

    o = ctx.find_object(Options)
    assert o is not None
    return Call(o.db, o.pack, o.actor, o.form, moment(), o.debug, bool(os.environ.get("CHARTER_NOW")))


def moment() -> str:
    """The moment of this call in UTC: the one place where the clock is read. CHARTER_NOW sets it, for tests."""
    said = os.environ.get("CHARTER_NOW")
    try:
        now = datetime.fromisoformat(said) if said else datetime.now(UTC)
    except ValueError:
        raise UsageFault(f"CHARTER_NOW is `{said}`, not a moment such as 2026-03-31T12:00:00Z.") from None
    now = now.replace(tzinfo=now.tzinfo or UTC)
    return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `charter init`; each command's --help has examples. Exit codes: 0 done, 1 fault, 2 usage, "
    "3 invalid pack or input, 4 refused or tests failed, 5 busy, 6 integrity broken.",
)
@click.option(
    "--db",
    metavar="URL",
    envvar="CHARTER_DB",
    default="charter.db",
    show_default=True,
    show_envvar=True,
    help="The store: a file, or postgresql://user@server/database.",
)
@click.option(
    "--pack",
    metavar="DIR",
    envvar="CHARTER_PACK",
    show_envvar=True,
    help="The pack, by folder or name, where none in force is asked for.  [default: base]",
)
@click.option(
    "--as",
    "actor",
    metavar="ACTOR",
    envvar="CHARTER_ACTOR",
    show_envvar=True,
    help="Who acts.  [default: the actor bound to your login]",
)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "tsv", "csv", "json", "xlsx", "svg"]),
    help="How to print; xlsx and svg for reports.  [default: tables on a terminal, tsv in a pipe]",
)
@click.option("--debug", is_flag=True, help="Show where in the program a fault arose.")
@click.version_option(package_name="charter", message="%(prog)s %(version)s")
@click.pass_context
def charter(ctx: click.Context, db: str, pack: str | None, actor: str | None, form: str | None, debug: bool) -> None:
    """Run a business by declared rules: records change by events alone, and every figure has a reason.

    Data goes to standard output, all else to standard error. JSON has a `version`, and amounts as texts.
    """
    ctx.obj = Options(db, pack, actor, form, debug)
    if isinstance(ctx.command, CommandLine):
        ctx.command.debug = debug


def main() -> None:
    """Run the command line."""
    charter(prog_name="charter")


PLAN = click.option("--plan", is_flag=True, help="Show what would happen, with amounts; write nothing.")
ACKNOWLEDGE = click.option("--acknowledge", metavar="NAME", multiple=True, help="Accept the warning of that name.")
WHERE = click.option("--where", metavar="EXPR", help="A condition over the fields of the records.")


# --- the store -------------------------------------------------------------------------------------------------------


@charter.command(cls=PackCommand)
@click.option("--administrator", metavar="NAME", help="The first actor of a new store.  [default: your login]")
@click.option("--demonstration", is_flag=True, help="One login may act for everybody; verify says so for ever.")
@click.option("--replace", metavar="PACK", help="The pack in force, where another one is to take its place.")
@PLAN
@click.pass_context
def init(ctx: click.Context, administrator: str | None, demonstration: bool, replace: str | None, plan: bool) -> int:
    """Create the store for the pack, or bring it up to it.

    The rules of the pack are kept in the store and hold until the next init, whatever becomes of the files.
    """
    from .engine.commands_packs import Wishes, set_up

    return set_up(called(ctx), Wishes(administrator, demonstration, replace, plan))


# --- records ---------------------------------------------------------------------------------------------------------


@charter.command("import", cls=PackCommand)
@click.argument("record")
@click.argument("files", nargs=-1, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--mapping", metavar="NAME", help="How the file's columns become fields.  [default: they are the fields]")
@click.option("--skip-refused", is_flag=True, help="Import the good rows; write the others to a file to mend.")
@click.option("--refused", metavar="FILE", type=click.Path(path_type=Path), help="Where refused rows are written.")
@click.option("--template", is_flag=True, help="Print an empty file instead: the columns that are read.")
@ACKNOWLEDGE
@PLAN
@click.pass_context
def import_(ctx: click.Context, record: str, files: tuple[Path, ...], mapping: str | None, skip_refused: bool,
            refused: Path | None, template: bool, acknowledge: tuple[str, ...], plan: bool) -> int:  # fmt: skip
    """Create records from the rows of files: csv, tsv, json, json lines or xml.

    Every wrong row is printed with file, line, column and rule. If one is refused nothing is written, unless
    --skip-refused is said. A row that is there already is skipped, so a file can be imported again. A mapping may read
    several files as one; without that each file is a transaction.
    """
    from .engine import commands_files as f

    if template:
        return f.print_template(called(ctx), record, mapping)
    return f.import_rows(called(ctx), record, files, mapping, f.Wishes(skip_refused, plan, refused, acknowledge))


@charter.command("list", cls=PackCommand)
@click.argument("record")
@WHERE
@click.option("--limit", metavar="N", type=click.IntRange(min=0), help="Print at most so many.")
@click.pass_context
def list_(ctx: click.Context, record: str, where: str | None, limit: int | None) -> int:
    """Print the records of a type, by key, with what may be done next and by whom.

    `entry` and `voucher` are the ledger's.
    """
    from .engine.commands_records import list_records

    return list_records(called(ctx), record, where, limit)


@charter.command(cls=PackCommand)
@click.argument("record")
@click.argument("key", metavar="ID")
@click.pass_context
def show(ctx: click.Context, record: str, key: str) -> int:
    """Print a record, its state, and what may be done with it next and by whom.

    `entry` and `voucher` are the ledger's.
    """
    from .engine.commands_show import show_record

    return show_record(called(ctx), record, key)


@charter.command(cls=PackCommand)
@click.argument("record")
@click.argument("event")
@click.argument("keys", nargs=-1, metavar="[ID…|-]")
@WHERE
@click.option("--set", "sets", metavar="FIELD=VALUE", multiple=True, help="What the event takes; records by their key.")
@ACKNOWLEDGE
@PLAN
@click.pass_context
def fire(ctx: click.Context, record: str, event: str, keys: tuple[str, ...], where: str | None, sets: tuple[str, ...],
         acknowledge: tuple[str, ...], plan: bool) -> int:  # fmt: skip
    """Bring an event about on records: one verdict each; what is refused does not hold up the others.

    Records are named by their keys, or by `-` for those that --where finds, or for keys on standard input, one a line,
    such as `list` prints. An event that creates takes no ID.
    """
    from .engine.commands_events import Wishes, fire_event

    return fire_event(called(ctx), record, event, keys, where, Wishes(sets, acknowledge, plan))


@charter.command(cls=PackCommand)
@click.argument("process")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE…]")
@ACKNOWLEDGE
@PLAN
@click.pass_context
def run(ctx: click.Context, process: str, given: tuple[str, ...], acknowledge: tuple[str, ...], plan: bool) -> int:
    """Run a process over all records that it selects, in chunks; what is refused is printed.

    It can be stopped and run again: what is done is not done twice.
    """
    from .engine.commands_events import Wishes, run_process

    return run_process(called(ctx), process, given, Wishes((), acknowledge, plan))


# --- what came of it -------------------------------------------------------------------------------------------------


@charter.command(cls=PackCommand)
@click.argument("statement")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE…]")
@click.pass_context
def report(ctx: click.Context, statement: str, given: tuple[str, ...]) -> int:
    """Print a statement. csv and json have exact amounts; xlsx is a workbook, svg a picture."""
    from .engine.commands_reports import print_report

    return print_report(called(ctx), statement, given)


@charter.command(cls=PackCommand)
@click.argument("subject", nargs=-1, required=True, metavar="VOUCHER[/LINE] | RECORD ID [FIELD]")
@click.option("--as-test", is_flag=True, help="Write a rule test of what happened, with what was there before.")
@click.pass_context
def why(ctx: click.Context, subject: tuple[str, ...], as_test: bool) -> int:
    """Explain a voucher, an entry, a record or a field: rule, values read, people, source row."""
    from .engine.commands_audit import print_example, print_why

    return (print_example if as_test else print_why)(called(ctx), subject)


@charter.command("why-not", cls=PackCommand)
@click.argument("record")
@click.argument("key", metavar="ID")
@click.argument("event")
@click.option("--set", "sets", metavar="FIELD=VALUE", multiple=True, help="What the event would be given.")
@ACKNOWLEDGE
@click.pass_context
def why_not(ctx: click.Context, record: str, key: str, event: str, sets: tuple[str, ...],
            acknowledge: tuple[str, ...]) -> int:  # fmt: skip
    """Say what stands against an event, for you or for the actor that --as names. Nothing is done."""
    from .engine.commands_audit import print_why_not
    from .engine.commands_events import Wishes

    return print_why_not(called(ctx), record, key, event, Wishes(sets, acknowledge))


@charter.command(cls=PackCommand)
@click.argument("record")
@click.argument("key", metavar="ID")
@click.pass_context
def history(ctx: click.Context, record: str, key: str) -> int:
    """Print every event of a record, with who, when, by what rule and what changed."""
    from .engine.commands_audit import print_history

    return print_history(called(ctx), record, key)


@charter.command(cls=PackCommand)
@click.option("--reperform", is_flag=True, help="Take every logged decision again, by the rules kept with it.")
@click.option("--head", metavar="HASH", help="A head that was printed before: shows whether the end was cut off.")
@click.pass_context
def verify(ctx: click.Context, reperform: bool, head: str | None) -> int:
    """Prove that every record, voucher and log row is what the log says; exit code 6 if not."""
    from .engine.commands_audit import print_verification

    return print_verification(called(ctx), head, reperform)


@charter.command(cls=PackCommand)
@click.option("--limit", metavar="N", type=click.IntRange(min=0), help="Name so many records of a kind.  [default: 20]")
@click.pass_context
def status(ctx: click.Context, limit: int | None) -> int:
    """Print what waits for you: records, since when, over how much; late ones first.

    Your own work comes first, then what you may do for others who delegated it to you.
    """
    from .engine.commands_status import print_status

    return print_status(called(ctx), limit)


@charter.command(cls=PackCommand)
@click.option(
    "--setup", is_flag=True, help="Say instead what records on their way will lack: prices, accounts, people."
)
@click.pass_context
def doctor(ctx: click.Context, setup: bool) -> int:
    """Look at versions, settings, tables, rules, protections, clock and who you are, with what to do.

    Exit code 6 where integrity is broken. That every record is what the log says, `verify` proves.

    With --setup everything that records wait for is tried, without writing anything; what would be refused for want of
    a row, an account, a person is printed. Exit code 4 where there is any.
    """
    from .engine.commands_doctor import print_health, print_setup

    return print_setup(called(ctx)) if setup else print_health(called(ctx))


# --- packs -----------------------------------------------------------------------------------------------------------


@charter.command(cls=PackCommand)
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("--format", "form", type=click.Choice(["full", "concise", "json", "sarif"]),
              help="With lines and carets, a line each, as data, or for those who scan code.")  # fmt: skip
@click.pass_context
def check(ctx: click.Context, folder: str | None, form: str | None) -> int:
    """Find what is wrong with a pack: every problem, with its line. It needs no store."""
    from .engine.commands_check import check_pack

    return check_pack(called(ctx), folder, form)


@charter.command(cls=PackCommand)
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--unreached", is_flag=True, help="Print, by file and line, what of the rules no test reached.")
@click.option("--at-least", "wanted", metavar="[MEASURE=]PERCENT", multiple=True,
              help="Fail where less of a measure, or of any, is reached: posting_rows=100.")  # fmt: skip
@click.pass_context
def test(ctx: click.Context, name: str | None, unreached: bool, wanted: tuple[str, ...]) -> int:
    """Run the rule tests of a pack, or those with NAME in their names or in a file of that name.

    It needs no store. At the end it says how much of the rules the tests reached, rounded down.

    Exit code 4 where tests failed or too little was reached, 1 where the program itself failed.
    """
    from .engine.commands_tests import Wishes, test_pack

    return test_pack(called(ctx), name, Wishes(unreached, wanted))


@charter.command(cls=PackCommand)
@click.argument("subject")
@click.option("--origin", is_flag=True, help="Say of each line which pack it came from, with file and line.")
@click.pass_context
def read(ctx: click.Context, subject: str, origin: bool) -> int:
    """Print rules as tables: decisions, postings, workflows, records and all else that a pack declares.

    SUBJECT is a name (of whatever kinds), a kind such as `posting`, or a folder such as `accounting`.
    It needs no store.
    """
    from .engine.commands_read import read_rules

    return read_rules(called(ctx), subject, origin)


@charter.command(cls=PackCommand)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--exit-code", is_flag=True, help="End with 10 where there are differences.")
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, exit_code: bool) -> int:
    """Print what pack B says otherwise than pack A: definitions, rows, transitions, fields, with file and line.

    A pack is named by its name, its folder, or the beginning of its hash in the store.
    """
    from .engine.commands_diff import print_differences

    return print_differences(called(ctx), before, after, exit_code)


@charter.command(cls=PackCommand)
@click.argument("workflow")
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--mapping", metavar="NAME", help="What the log's columns and activities mean.  [default: the only one]")
@click.pass_context
def conform(ctx: click.Context, workflow: str, log: Path, mapping: str | None) -> int:
    """Replay an event log through a workflow: how many cases conform, where they end, what they first break.

    The log is csv or xes, gzipped or not. It needs no store and changes none.
    """
    from .engine.commands_conform import conform as replayed

    return replayed(called(ctx), workflow, log, mapping)


@charter.command(cls=PackCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script by which a shell completes commands and the names of the pack.

    It needs no store: names are those of the pack that --pack or CHARTER_PACK says, or of the base pack.
    """
    from .engine.commands_completion import print_script

    return print_script(shell, charter)


if __name__ == "__main__":
    main()
