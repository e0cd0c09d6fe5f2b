"""Examples for the help of each command, taken from the pack in use: its records, events, processes and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from . import catalog
from . import definitions as d
from .errors import CharterFault
from .library import Library
from .log_mappings import build_log_mapping, is_of_log
from .model import Type

SAMPLES = {
    "date": "2026-03-31", "whole": "1", "number": "1.5", "money": "100.00", "price": "12.50", "yes_or_no": "true",
}  # fmt: skip
FIRST_DAY = "2026-03-01"


def help_for(command: str, asked: str | None) -> tuple[list[str], list[tuple[str, str]]]:
    """(examples, what there is to name with its explanation) for a command, by the pack asked for or the base pack."""
    library = Library(_pack(asked))
    return _Examples(library, asked).of(command), _names(library, command)


def _pack(asked: str | None) -> catalog.Pack:
    known = catalog.library()
    base = known.folder("base")
    assert base is not None
    try:
        return catalog.load((known.folder(asked) or Path(asked)) if asked else base)
    except (CharterFault, OSError):
        return catalog.load(base)


def _names(library: Library, command: str) -> list[tuple[str, str]]:
    """What may stand for the command's first word."""
    kind = {"conform": "workflow", "import": "mapping", "list": "record", "run": "process", "report": "statement"}.get(
        command, ""
    )
    named = (doc for doc in library.pack.all(kind) if not is_of_log(doc) or kind != "mapping")
    return [(doc.name, _first_sentence(doc.body.get("doc"))) for doc in named]


def _first_sentence(doc: object) -> str:
    text = " ".join(str(doc or "").split())
    return text.split(". ")[0].rstrip(".") + "."


class _Examples:
    """The first of each kind that a pack has, put into commands; what it lacks is left out."""

    def __init__(self, library: Library, asked: str | None) -> None:
        self.library = library
        self.start = f"charter --pack {asked}" if asked else "charter"
        self.records = [r for r in library.records() if r.workflows and not self.is_core(r.name)]

    def of(self, command: str) -> list[str]:
        made: Iterable[str] = getattr(self, "for_" + command.replace("-", "_"))()
        return list(made)

    def is_core(self, name: str) -> bool:
        document = self.library.pack.find("record", name)
        return document is not None and document.pack == catalog.BOTTOM

    # --- what the pack has ---

    def mapping(self) -> tuple[str, str] | None:
        found = [(doc.name, str(doc.body.get("to"))) for doc in self.library.pack.all("mapping") if not is_of_log(doc)]
        return found[-1] if found else None

    def record(self) -> d.Record:
        """A record that an example is about: one that files bring in, else the first."""
        mapping = self.mapping()
        brought_in = self.library.record(mapping[1]) if mapping else None
        return brought_in or next((r for r in self.records if self.event(r)), self.records[0])

    def event(self, record: d.Record, taking: bool = False) -> d.Transition | None:
        """An event that somebody may bring about; with `taking` one that must be given something."""
        for workflow in self.library.workflows_of(record):
            for t in workflow.transitions:
                given = any(f.needed for f in self.library.taken(record, t).values())
                if t.who and not t.creates and (given or not taking):
                    return t
        return None

    def key(self, record: d.Record) -> str:
        """The key of a record as its parts are named."""
        names = [path[-2] if len(path) > 1 and self.has_one_part(record, path) else path[-1]
                 for path in self.library.key_paths(record)]  # fmt: skip
        return "/".join("12" if n == "id" else n.upper() for n in names)

    def has_one_part(self, record: d.Record, path: tuple[str, ...]) -> bool:
        before = self.library.along(Type("ref", of=record.name), path[:-1])
        target = self.library.record(before.of) if before else None
        return target is not None and len(target.key) == 1

    def sample(self, f: d.Field) -> str:
        if f.name == "from" and f.type.kind == "date":
            return FIRST_DAY
        target = self.library.record(f.type.of) if f.type.kind == "ref" else None
        if target is not None:
            return self.key(target) if len(target.key) > 1 else target.name.upper()
        return f.type.choices[0] if f.type.choices else SAMPLES.get(f.type.kind, f.name.upper())

    def given(self, fields: Mapping[str, d.Field]) -> str:
        return " ".join(f"{name}={self.sample(f)}" for name, f in fields.items() if f.needed)

    # --- examples ---

    def for_init(self) -> Iterable[str]:
        yield f"{self.start} init --plan"
        yield f"{self.start} init --administrator ann"

    def for_import(self) -> Iterable[str]:
        first = self.records[0].name
        yield f"{self.start} import {first} --template > {first}.csv"
        yield f"{self.start} import {first} {first}.csv --plan"
        if mapping := self.mapping():
            yield f"{self.start} import {mapping[1]} rows.csv --mapping {mapping[0]} --skip-refused"

    def for_list(self) -> Iterable[str]:
        record = self.record()
        state = next(iter(self.library.workflows_of(record)[0].states))
        yield f"{self.start} list {record.name} --limit 20"
        yield f"{self.start} list {record.name} --where \"{self.library.workflows_of(record)[0].field} == '{state}'\""

    def for_show(self) -> Iterable[str]:
        yield f"{self.start} show {self.record().name} {self.key(self.record())}"

    def for_fire(self) -> Iterable[str]:
        record = self.record()
        created = next(iter(self.library.creations(record)), None)
        if created:
            first = self.records[0]
            event, fields = self.library.creation_event(first), self.library.creation_fields(first)
            sets = " ".join(f"--set {pair}" for pair in self.given(fields).split())
            yield f"{self.start} fire {first.name} {event or created.event} {sets}"
        for taking in (False, True):
            if event_ := self.event(record, taking):
                fields = self.library.taken(record, event_) if taking else {}
                sets = "".join(f" --set {pair}" for pair in self.given(fields).split())
                yield f"{self.start} fire {record.name} {event_.event} {self.key(record)}{sets}"
        if event_ := self.event(record):
            flow = self.library.workflows_of(record)[0]
            where = f"--where \"{flow.field} == '{event_.sources[0]}'\""
            yield f"{self.start} fire {record.name} {event_.event} - {where} --plan"

    def for_run(self) -> Iterable[str]:
        for doc in list(self.library.pack.all("process"))[:1]:
            process = self.library.process(doc.name)
            if process:
                yield f"{self.start} run {process.name} {self.given(process.takes)} --plan".replace("  ", " ")
                yield f"{self.start} run {process.name} {self.given(process.takes)}".rstrip()

    def for_report(self) -> Iterable[str]:
        for doc in list(self.library.pack.all("statement"))[-1:]:
            takes = {n: d.build_field(n, t) for n, t in d.Element(doc, (), doc.body).pairs("takes")}
            yield f"{self.start} report {doc.name} {self.given(takes)}".rstrip()
            yield f"{self.start} -o csv report {doc.name} {self.given(takes)}".rstrip()

    def for_why(self) -> Iterable[str]:
        ledger = self.library.manifest.ledger
        if ledger and ledger.series:
            yield f"{self.start} why {next(iter(ledger.series.values()))}-000001/1"
        yield f"{self.start} why {self.record().name} {self.key(self.record())}"
        yield f"{self.start} why {self.record().name} {self.key(self.record())} --as-test"

    def for_why_not(self) -> Iterable[str]:
        if event := self.event(self.record()):
            yield f"{self.start} --as ann why-not {self.record().name} {self.key(self.record())} {event.event}"

    def for_history(self) -> Iterable[str]:
        yield f"{self.start} history {self.record().name} {self.key(self.record())}"

    def for_verify(self) -> Iterable[str]:
        yield f"{self.start} verify"
        yield f'{self.start} verify --reperform --head "$(cat head.txt)"'

    def for_status(self) -> Iterable[str]:
        yield f"{self.start} status"
        yield f"{self.start} --as ann status --limit 100"

    def for_doctor(self) -> Iterable[str]:
        yield f"{self.start} doctor"
        yield f"{self.start} -o json doctor"

    def for_completion(self) -> Iterable[str]:
        yield "charter completion bash > ~/.charter-completion"
        yield f"{self.start} completion fish > charter.fish"

    def for_check(self) -> Iterable[str]:
        yield "charter check"
        yield "charter check our_pack"

    def for_read(self) -> Iterable[str]:
        for kind in ("posting", "decision"):
            if found := list(self.library.pack.all(kind)):
                yield f"{self.start} read {found[-1].name}"
        yield f"{self.start} read {self.record().name} --origin"
        yield f"{self.start} -o csv read parameters"

    def for_diff(self) -> Iterable[str]:
        pack = self.start.partition("--pack ")[2] or "our_pack"
        yield f"charter diff base {pack}"
        yield f"charter diff --exit-code base {pack}"
        yield f"{self.start} -o json diff base 3f9a1c72"

    def for_conform(self) -> Iterable[str]:
        logs = [build_log_mapping(doc) for doc in self.library.pack.all("mapping") if is_of_log(doc)]
        for mapping in logs[:1]:
            yield f"{self.start} conform {mapping.workflow} log.xes.gz --mapping {mapping.name}"
        workflow = logs[0].workflow if logs else self.library.workflows_of(self.record())[0].name
        yield f"{self.start} conform {workflow} log.csv"
        yield f"{self.start} -o json conform {workflow} log.csv"

    def for_test(self) -> Iterable[str]:
        yield f"{self.start} test"
        for doc in list(self.library.pack.all("test"))[:1]:
            yield f"{self.start} test {doc.name}"
