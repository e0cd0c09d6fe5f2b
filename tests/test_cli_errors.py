"""Whatever is typed, a command says what was wrong and what would do; its exit code says of which sort it was."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from charter.cli import charter
from charter.engine.commands_faults import said_of
from charter.engine.interruption import one_press_ends
from charter.engine.tables import SERIES
from charter.engine.trials import Trial
from cli_support import PORTFOLIO, ROOT, Desk, copied
from sqlalchemy import exc
from support import DEPOT, Stores


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = Desk(tmp_path_factory.mktemp("store"))
    desk.must("init", "--demonstration")
    desk.must("import", "actor", PORTFOLIO / "actors.csv")
    desk.must("import", "role_grant", PORTFOLIO / "role_grants.csv")
    desk.must("--as", "pat", "import", "company", PORTFOLIO / "companies.csv")
    desk.must("--as", "pat", "import", "customer", PORTFOLIO / "customers.csv")
    return desk.folder / desk.db


@pytest.fixture
def desk(store: Path, tmp_path: Path) -> Desk:
    return copied(store, tmp_path)


# --- what is said ----------------------------------------------------------------------------------------------------


MARCH = ("from=2026-03-01", "until=2026-03-31")

SAID: list[tuple[int, tuple[str, ...], str]] = [
    (2, ("lst",), "did you mean `list`?"),
    (2, ("list", "projekt"), "Did you mean `project`?\nThere are: account, accrual_correction, actor"),
    (2, ("fire", "project", "strat", "P-1"), "Did you mean `start`?\nThere are: accept, archive, attach, "),
    (2, ("fire", "customer", "change"), "Say which customer"),
    (2, ("fire", "customer", "change", "C-1O"), "There is no customer `C-1O`; did you mean `C-10`?"),
    (
        2,
        ("show", "voucher", "C-000001"),
        "There is no voucher `C-000001`; it goes by the number that `charter list voucher` prints.",
    ),
    (
        2,
        ("test", "--at-least", "rows=80"),
        "There is no measure `rows` of what tests reach; there are: transitions, guard_out",
    ),
    (2, ("fire", "contract_line", "change", "K-10"), "its key has 2 parts"),
    (2, ("fire", "customer", "create", "--set", "nme=x"), "does not take `nme`; did you mean `name`?"),
    (2, ("fire", "customer", "create", "--set", "name"), "`name` is not --set NAME=VALUE"),
    (2, ("fire", "customer", "create", "--set", "name=a", "--set", "name=b"), "name is given twice"),
    (2, ("run", "post"), "There are: accrue_revenue, "),
    (2, ("run", "post_transactions"), "post_transactions needs until"),
    (2, ("run", "post_transactions", "until=soon"), "`soon` is not a date written yyyy-mm-dd"),
    (2, ("run", "post_transactions", "untill=2026-03-31"), "did you mean `until`?"),
    (2, ("report", "trial_balence", *MARCH), "Did you mean `trial_balance`?"),
    (2, ("report", "trial_balance", "company=SOUTH", *MARCH), "There is no company `SOUTH`"),
    (3, ("report", "trial_balance", "company=NORTH", "from=2026-03-31", "until=2026-03-01"), "is after the last"),
    (2, ("why", "H-000009"), "There is no voucher `H-000009`"),
    (2, ("why", "customer", "C-99"), "There is no customer `C-99`"),
    (2, ("why-not", "customer", "C-10", "fly"), "There is no event `fly` of customer"),
    (2, ("history", "customer", "C-99"), "There is no customer `C-99`"),
    (2, ("show", "customer", "C-99"), "There is no customer `C-99`"),
    (3, ("import", "customer", "nofile.csv"), "nofile.csv: cannot be read"),
    (2, ("import", "customer"), "--template"),
    (2, ("import", "hour_line", "x.csv", "--mapping", "timesheet"), "Did you mean `timesheets`?"),
    (2, ("import", "customer", "x.csv", "--mapping", "timesheets"), "makes hour_line of a file, not customer"),
    (2, ("--as", "nobody", "fire", "customer", "change", "C-10"), "There is no actor `nobody`; known actors: ann, "),
    (2, ("list", "customer", "--as", "ann"), "--as stands before the command"),
    (2, ("-o", "xml", "list", "customer"), "is not one of"),
    (2, ("list", "customer", "--limit", "-1"), "--limit"),
    (2, ("--pack", "nowhere", "check"), "There is no pack `nowhere`"),
    (2, ("test", "no_such_test"), "No test of base has `no_such_test` in its name"),
    (4, ("--as", "ann", "fire", "customer", "create", "--set", "number=1", "--set", "name=a"), "1 refused"),
    (4, ("--as", "pat", "fire", "customer", "create", "--set", "number=C-10", "--set", "name=a"), "1 refused"),
]


@pytest.mark.parametrize(("code", "arguments", "words"), SAID, ids=[" ".join(s[1])[:60] for s in SAID])
def test_a_mistake_is_said_with_what_would_do(desk: Desk, code: int, arguments: tuple[str, ...], words: str) -> None:
    result = desk.run(*arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert "Traceback" not in result.output
    assert not result.stdout or code == 4


CONDITIONS = [
    ("nme == 'x'", "nme", "did you mean `name`?"),
    ("name = 'x'", "=", ""),
    ("name ==", "", "a value was expected"),
    ("name == 3", "3", ""),
    ("name", "name", "not yes or no"),
    ("this.name == 'x'", "this.name", "cannot be asked of the database"),
    ("actor.number == 'ann'", "actor.number", "cannot be asked of the database"),
    ("count(contracts) > 1", "", ""),
    ("'", "'", "this text never ends"),
]


@pytest.mark.parametrize(("condition", "marked", "words"), CONDITIONS, ids=[c[0] for c in CONDITIONS])
def test_a_wrong_condition_is_shown_with_a_caret(desk: Desk, condition: str, marked: str, words: str) -> None:
    result = desk.run("list", "customer", "--where", condition)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"1 | {condition}" in result.stderr
    assert "^" * max(1, len(marked)) in result.stderr
    assert words in result.stderr


# --- garbage ---------------------------------------------------------------------------------------------------------

GARBAGE = ["", "-", "--", "=", "a=b", "../..", "\u202e\t", "é" * 300, "'", "{}%s", "-1", "x" * 10_000]


@pytest.mark.parametrize("command", charter.commands)
def test_no_garbage_brings_a_command_to_fall(desk: Desk, command: str) -> None:
    shapes: list[Callable[[str], list[str]]] = [lambda w: [w]]
    if command not in ("init", "check", "test"):  # which take no more, and are slow
        shapes += [lambda w: ["customer", w], lambda w: [w, w, w], lambda w: ["customer", "change", w, "--set", w]]
    # Without a name every test is run, which takes long.
    words = [word for word in GARBAGE if command != "test" or word not in ("", "-", "--")]
    for arguments in (shape(word) for shape in shapes for word in words):
        result = desk.run(command, *arguments)
        assert result.exit_code in (0, 2, 3, 4, 6), (arguments, result.output)
        assert "Traceback" not in result.output


@pytest.mark.parametrize("option", ["--db", "--pack", "--as", "-o"])
@pytest.mark.parametrize("word", ["", "nowhere/x", "foo://bar", "\u202e", "://", "sqlite://", "=", "x" * 300])
def test_no_garbage_for_all_commands_brings_one_to_fall(desk: Desk, option: str, word: str) -> None:
    for command in (["list", "customer"], ["fire", "customer", "change", "C-10"], ["init"]):
        result = desk.run(option, word, *command)
        assert result.exit_code in (0, 2, 3, 4), result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b'number,name\n"', b"name\nx\n", b"number,name\nC-1,a,b\n"])
def test_no_file_brings_an_import_to_fall(desk: Desk, content: bytes) -> None:
    (desk.folder / "bad.csv").write_bytes(content)
    result = desk.run("--as", "pat", "import", "customer", "bad.csv")
    assert result.exit_code in (0, 3, 4), result.output
    assert "bad.csv" in result.output


def test_keys_that_are_no_text_are_a_mistake_of_the_input(desk: Desk) -> None:
    process = desk.process("fire", "customer", "change", "-", stdin=-1)
    assert process.stdin is not None
    process.stdin.buffer.write(b"\xff\xfe\x00\n")
    process.stdin.close()
    assert process.wait(60) in (2, 3)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


# --- stores that are none --------------------------------------------------------------------------------------------


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for arguments in (["list", "customer"], ["verify"], ["fire", "customer", "change", "C-10"]):
        result = desk.run(*arguments)
        assert result.exit_code == 2
        assert "make one with `charter init`" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "charter.db").write_text("garbage" * 100, "utf-8")
    result = Desk(tmp_path).run("list", "customer")
    assert (result.exit_code, "not a store of Charter" in result.stderr) == (2, True)


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    result = Desk(tmp_path, "nowhere/charter.db").run("init", "--demonstration")
    assert (result.exit_code, "cannot be opened" in result.stderr) == (2, True)


def test_a_server_that_does_not_answer_may_answer_later(tmp_path: Path) -> None:
    result = Desk(tmp_path, "postgresql://me:secret@127.0.0.1:1/x").run("list", "customer")
    assert (result.exit_code, "cannot be reached" in result.stderr) == (5, True)
    assert "secret" not in result.output


def test_a_password_is_never_shown(postgresql_url: str, tmp_path: Path) -> None:
    result = Desk(tmp_path, postgresql_url.replace("postgresql+psycopg", "postgresql")).run("list", "customer")
    assert result.exit_code == 2
    assert "There is no Charter store at postgresql+psycopg://postgres" in result.stderr
    assert "password" not in result.stderr


MEANT = [
    (sqlite3.OperationalError("database is locked"), exc.OperationalError, 5),
    (sqlite3.OperationalError("attempt to write a readonly database"), exc.OperationalError, 2),
    (sqlite3.DatabaseError("database disk image is malformed"), exc.DatabaseError, 6),
    (sqlite3.IntegrityError("charter_log is append-only"), exc.IntegrityError, 6),
    (sqlite3.OperationalError("database or disk is full"), exc.OperationalError, 5),
    (Exception("permission denied for table charter_log"), exc.ProgrammingError, 2),
    (Exception('FATAL: database "books" does not exist'), exc.ProgrammingError, 2),
]


@pytest.mark.parametrize(("error", "kind", "code"), MEANT, ids=[str(m[0]) for m in MEANT])
def test_what_a_database_says_has_a_meaning(error: Exception, kind: Any, code: int) -> None:
    meant = said_of(kind("SELECT 1", {}, error))
    assert meant is not None
    assert meant.exit_code == code
    assert str(error) in str(meant)


def test_a_statement_that_the_database_does_not_understand_is_a_fault_of_the_program() -> None:
    error = Exception("operator does not exist: date = character varying")
    assert said_of(exc.ProgrammingError("SELECT 1", {}, error)) is None


# --- faults ----------------------------------------------------------------------------------------------------------


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def failing(*_: Any) -> int:
        raise error

    monkeypatch.setattr("charter.engine.commands_records.list_records", failing)


def test_a_fault_of_the_program_is_said_without_a_traceback(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, RuntimeError("out of\nluck"))
    result = desk.run("list", "customer")
    assert result.exit_code == 1
    assert result.stderr.startswith("fault: RuntimeError: out of luck\n")
    assert "--debug" in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_where_a_fault_arose(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, RuntimeError("out of luck"))
    result = desk.run("--debug", "list", "customer")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "Traceback" not in desk.run("list", "customer").stderr, "only where it was asked for"


@pytest.fixture
def one_broken(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """How the tests of a pack are run, in one of which the program fails."""
    run = Trial.run

    def failing(trial: Trial, *given: Any) -> list[str]:
        if trial.document.name == "small_claim":
            raise RuntimeError("out of\nluck")
        return run(trial, *given)

    monkeypatch.setattr(Trial, "run", failing)
    return "--pack", str(ROOT / "examples" / "travel_claims"), "test"


def test_a_fault_ends_one_rule_test_and_not_the_others(tmp_path: Path, one_broken: tuple[str, ...]) -> None:
    desk = Desk(tmp_path)
    result = desk.run(*one_broken)
    assert result.exit_code == 1
    assert "a fault of the program, not of the rules: RuntimeError: out of luck" in result.stdout
    assert "Traceback" not in result.output
    assert "1 test ended by a fault of the program. `charter --debug test …` shows where each arose." in result.stderr
    found = desk.data(*one_broken, code=1)
    (failed,) = [t for t in found["tests"] if not t["passed"]]
    assert (failed["test"], found["failed"]) == ("small_claim", 1)
    assert failed["failures"][0].startswith(f"{failed['place']}: a fault of the program")
    assert found["passed"] == len(found["tests"]) - 1 > 5


def test_debug_shows_where_a_rule_test_met_a_fault(tmp_path: Path, one_broken: tuple[str, ...]) -> None:
    result = Desk(tmp_path).run("--debug", *one_broken)
    assert result.exit_code == 1
    assert result.stderr.count("Traceback") == 1
    assert "RuntimeError: out of\nluck" in result.stderr


def test_who_interrupts_is_told_what_stands(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, KeyboardInterrupt())
    result = desk.run("list", "customer")
    assert (result.exit_code, "stopped" in result.stderr) == (130, True)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_press_that_a_library_swallows_ends_the_work_before_it_is_written(stores: Stores) -> None:
    """A library that calls back makes another error of it, which the caller takes for something else."""

    class Odd:
        pass

    def called_back(_: Any) -> str:
        signal.raise_signal(signal.SIGINT)
        return "odd"

    with stores.memory(DEPOT) as world:
        with one_press_ends(), pytest.raises(KeyboardInterrupt), world.store.transaction() as session:
            session.insert(world.rules.metadata.tables[SERIES], [("odd", 1, 1)])
            with pytest.raises(TypeError):
                orjson.dumps(Odd(), called_back)
        assert world.rows(f"SELECT * FROM {SERIES}") == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupted_import_leaves_a_sound_store(desk: Desk) -> None:
    rows = "".join(f"X-{n},Customer {n}\n" for n in range(200_000))
    (desk.folder / "many.csv").write_text("number,name\n" + rows, "utf-8")
    process = desk.process("--as", "pat", "import", "customer", "many.csv", "--skip-refused")
    while not desk.data("list", "customer", "--where", "number == 'X-1'")["records"]:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (130, False)
    count = len(desk.data("list", "customer")["records"]) - 3
    assert 0 < count < 200_000
    assert count % 1000 == 0
    assert desk.data("verify")["sound"]


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_who_has_enough_ends_a_command_quietly(desk: Desk) -> None:
    process = desk.process("list", "customer")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr is not None
    assert process.stderr.read() in ("", "3 customer records.\n")


# --- a terminal and a pipe -------------------------------------------------------------------------------------------


def at_terminal(desk: Desk, *arguments: str, columns: int = 80) -> str:
    """What a terminal of a width shows of standard output."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = desk.process(*arguments, stdout=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # so Linux says that the other side has closed
            read = b""
        if not read:
            break
        shown += read
    os.close(ours)
    process.wait(60)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
def test_a_person_gets_a_table_and_a_program_all_of_it(desk: Desk) -> None:
    name = "A name so long that no terminal could show it in a line of its own " * 2
    desk.must("--as", "pat", "fire", "customer", "change", "C-10", "--set", f"name={name}")
    table = at_terminal(desk, "list", "customer", columns=60).splitlines()
    assert table[1].startswith("----")
    assert max(map(len, table)) <= 60
    assert desk.must("list", "customer").splitlines()[1].split("\t")[2] == name


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
@pytest.mark.parametrize("form", ["tsv", "csv", "json"])
def test_a_form_that_was_asked_for_is_the_same_everywhere(desk: Desk, form: str) -> None:
    assert at_terminal(desk, "-o", form, "list", "customer") == desk.must("-o", form, "list", "customer")


def test_nothing_but_data_goes_to_standard_output(desk: Desk) -> None:
    assert desk.run("list", "customer").stdout.count("\n") == 4
    result = desk.run("--as", "pat", "import", "customer", PORTFOLIO / "customers.csv")
    assert (result.stdout, "3 there already" in result.stderr) == ("", True)


def test_every_json_answer_has_a_version(desk: Desk) -> None:
    asked: list[Callable[[], Any]] = [
        lambda: desk.data("list", "customer"),
        lambda: desk.data("show", "customer", "C-10"),
        lambda: desk.data("--as", "pat", "fire", "customer", "change", "C-10", "--set", "name=N"),
        lambda: desk.data("--as", "pat", "run", "post_transactions", "until=2026-03-31"),
        lambda: desk.data("report", "trial_balance", "company=NORTH", *MARCH),
        lambda: desk.data("why", "customer", "C-10"),
        lambda: desk.data("--as", "pat", "why-not", "customer", "C-10", "change"),
        lambda: desk.data("history", "customer", "C-10"),
        lambda: desk.data("verify"),
        lambda: desk.data("check"),
        lambda: desk.data("--as", "pat", "import", "customer", PORTFOLIO / "customers.csv"),
        lambda: desk.data("init"),
    ]
    assert [ask()["version"] for ask in asked] == [1] * len(asked)
