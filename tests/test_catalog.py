"""Packs are found, read and laid over each other; every mistake of all files is told at once, with its place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from charter.engine.catalog import Document, Library, Pack, library, load, origin, read_pack
from charter.engine.errors import InvalidPack

CLAIM = """\
workflow: claim
doc: A claim.
states: {draft: {}, sent: {final: true}}
transitions:
  - {event: create, from: nothing, to: draft}
  - event: send
    from: draft
    to: sent
    require:
      - {name: has_lines, that: "count(lines) > 0", else: No lines.}
people: [{different: [a, b]}]
"""
PROFILE = """\
decision: profile
doc: The profile.
outputs: {profile: text, rate: number}
search: [[a], [b], []]
rows:
  - {name: first, when: {method: fixed}, then: {profile: p1}}
  - {name: second, when: {method: open}, then: {profile: p2}}
  - {when: {method: none}, then: {profile: p3}}
"""


class Files:
    """Writes packs into a folder and reads them from there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.library = Library(root, {"core": "core", "base": "base"})
        self.write("core/pack.yaml", "pack: core\ndoc: Bottom.\nversion: '1'\n")
        self.write("core/actor.yaml", "record: actor\ndoc: Who acts.\n")
        self.write("base/pack.yaml", "pack: base\ndoc: Base.\nversion: 1.10\nfolders: [../flows, .]\n")
        self.write("flows/claim.yaml", CLAIM)
        self.write("base/deep/profile.yaml", PROFILE)
        self.write("mine/pack.yaml", "pack: mine\ndoc: Mine.\nversion: 0.1\nextends: base\n")

    def write(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def load(self, name: str = "mine") -> Pack:
        return load(self.root / name, self.library)

    def said(self, name: str = "mine") -> list[str]:
        found = read_pack(self.root / name, self.library)[1]
        return [f"{d.place} {d.code} {d.message}" + (f" ({d.hint})" if d.hint else "") for d in found]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def changed(files: Files, text: str, kind: str = "decision", name: str = "profile") -> Document:
    files.write("mine/a.yaml", text)
    document = files.load().find(kind, name)
    assert document
    return document


# Finding and reading


def test_a_pack_has_all_that_it_extends(files: Files) -> None:
    pack = files.load()
    assert (pack.name, pack.version, pack.chain) == ("mine", "0.1", ("core", "base", "mine"))
    assert [(d.kind, d.name, d.pack) for d in pack.documents] == [
        ("decision", "profile", "base"),
        ("pack", "base", "base"),
        ("pack", "core", "core"),
        ("pack", "mine", "mine"),
        ("record", "actor", "core"),
        ("workflow", "claim", "base"),
    ]
    assert pack.all("workflow") == [pack.find("workflow", "claim")]
    assert pack.find("workflow", "clam") is None


def test_files_are_named_from_the_root_or_from_above_the_pack(files: Files) -> None:
    files.write("mine/workflows/more.yaml", "record: more\n")
    assert list(files.load().files) == [
        "base/deep/profile.yaml", "base/pack.yaml", "core/actor.yaml", "core/pack.yaml", "flows/claim.yaml",
        "mine/pack.yaml", "mine/workflows/more.yaml",
    ]  # fmt: skip


def test_packs_in_folders_of_one_name_keep_their_files_apart(files: Files) -> None:
    files.write("x/base/pack.yaml", "pack: other\nextends: base\n")
    files.write("x/base/a.yaml", "record: a\n")
    files.write("y/base/pack.yaml", "pack: third\nextends: ../../x/base\n")
    pack = files.load("y/base")
    assert pack.chain == ("core", "base", "other", "third")
    assert {"base/pack.yaml", "x/base/pack.yaml", "x/base/a.yaml", "y/base/pack.yaml"} <= set(pack.files)


def test_a_document_keeps_its_kind_out_of_its_body(files: Files) -> None:
    claim = files.load().find("workflow", "claim")
    assert claim
    assert list(claim.body) == ["doc", "states", "transitions", "people"]
    assert list(claim.whole) == ["workflow", "doc", "states", "transitions", "people"]
    assert str(claim.name_place) == "flows/claim.yaml:1:11"
    assert str(claim.place(("transitions", 1, "require", 0, "that"))) == "flows/claim.yaml:10:34"
    assert str(claim.place(("transitions", 1, "who"))) == "flows/claim.yaml:6:5"
    assert str(claim.key_places[("people",)]) == "flows/claim.yaml:11:1"


def test_a_pack_without_folders_has_every_file_beneath_but_other_packs(files: Files) -> None:
    files.write("mine/a/b/c.yaml", "record: c\n")
    files.write("mine/.hidden/d.yaml", "record: d\n")
    files.write("mine/other/pack.yaml", "pack: other\n")
    files.write("mine/other/e.yaml", "record: e\n")
    assert [d.name for d in files.load().all("record")] == ["actor", "c"]


def test_folders_that_overlap_are_read_once(files: Files) -> None:
    files.write("mine/pack.yaml", "pack: mine\nextends: base\nfolders: [., sub, ./sub]\n")
    files.write("mine/sub/a.yaml", "record: a\n")
    assert files.load().find("record", "a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "record: a\nfoo: [b",
            "mine/a.yaml:2:6 R001 a `,` or `]` is missing"
            " (separate with `,` and close with `]`; the bracket opens in line 2)",
        ),
        ("workflo: a", "mine/a.yaml:1:1 R026 `workflo` is not a kind of document (did you mean `workflow`?)"),
        ("doc: x\nrecord: a", "mine/a.yaml:1:1 R026 `doc` is not a kind of document (put `record` first)"),
        ("- a", "mine/a.yaml:1:1 R026 a document must begin with its kind (such as `record: NAME`)"),
        (
            "record: Big Name",
            "mine/a.yaml:1:9 R027 `Big Name` is not a name"
            " (small letters, digits and `_`, a letter first)",
        ),
        ("record: [a]", "mine/a.yaml:1:9 R027 this is not a name (small letters, digits and `_`, a letter first)"),
        ("record: a\n---\nrecord: a", "mine/a.yaml:3:9 R024 record `a` stands twice; the first is at mine/a.yaml:1:9"),
        ("pack: another", "mine/a.yaml:1:1 R024 a pack has one `pack` document"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_told(files: Files, text: str, problem: str) -> None:
    files.write("mine/a.yaml", text)
    assert files.said() == [problem]


def test_an_unknown_kind_without_a_near_one_gets_the_list(files: Files) -> None:
    files.write("mine/a.yaml", "zzz: a")
    assert files.said()[0].startswith(
        "mine/a.yaml:1:1 R026 `zzz` is not a kind of document (the kinds are pack, record,"
    )


def test_a_test_is_named_by_a_sentence(files: Files) -> None:
    files.write("mine/a.yaml", "test: A claim needs lines.\ndoc: x\n")
    assert files.load().find("test", "A claim needs lines.")


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("pack: mine\nextends: bse", "mine/pack.yaml:2:10 R022 there is no pack `bse` (did you mean `base`?)"),
        (
            "pack: mine\nextends: ../zz",
            "mine/pack.yaml:2:10 R022 there is no pack `../zz`"
            " (give a pack's name, or the path of its folder from here)",
        ),
        ("pack: mine\nextends: ../mine", "mine/pack.yaml:2:10 R023 pack `mine` would extend itself (break the circle)"),
        ("pack: base\nextends: base", "base/pack.yaml:1:7 R023 two packs of one chain are named `base` (rename one)"),
        ("pack: mine\nfolders: [sub]", "mine/pack.yaml:2:11 R021 there is no folder `sub`"),
        (
            "pack: mine\nfolders: sub",
            "mine/pack.yaml:2:10 R021 `folders` is a list of folders"
            " (write `folders: [first, second]`)",
        ),
        ("record: mine", "mine/pack.yaml:1:1 R020 this does not say which pack it is (begin with `pack: NAME`)"),
    ],
)  # fmt: skip
def test_mistakes_in_the_head_of_a_pack_are_told(files: Files, head: str, problem: str) -> None:
    files.write("mine/pack.yaml", head)
    assert files.said() == [problem]


def test_a_folder_without_a_pack_is_told(files: Files) -> None:
    pack, [found], _ = read_pack(files.root / "flows", files.library)
    assert pack is None
    assert (found.code, found.message) == ("R020", "there is no `pack.yaml` in `flows`")


def test_a_yml_file_is_not_passed_over_in_silence(files: Files) -> None:
    files.write("mine/a.yml", "record: a")
    assert files.said() == ["mine/a.yml:1:1 R025 this file is not read (name it `.yaml`)"]


def test_bytes_that_are_not_utf_8_are_told(files: Files) -> None:
    files.write("mine/a.yaml", b"record: a\ndoc: \xff\n")
    assert files.said() == ["mine/a.yaml:2:6 R003 the byte 0xff is not UTF-8 (save the file as UTF-8)"]


def test_every_problem_of_all_files_is_told_at_once_and_shown(files: Files) -> None:
    files.write("mine/b.yaml", "record: b\ndoc: 1\ndoc: 2\n")
    files.write("mine/a.yaml", "recrd: a\n---\nrecord: x\nfoo: *y\n")
    files.write("flows/claim.yaml", CLAIM + "people: []\n")
    with pytest.raises(InvalidPack) as caught:
        files.load()
    assert [str(d.place) for d in caught.value.diagnostics] == [
        "flows/claim.yaml:12:1", "mine/a.yaml:1:1", "mine/a.yaml:4:6", "mine/b.yaml:3:1",
    ]  # fmt: skip
    assert "3 | doc: 2\n  | ^^^" in str(caught.value)


def test_the_pack_is_given_as_far_as_it_can_be_read(files: Files) -> None:
    files.write("mine/a.yaml", "record: a\ndoc: 1\ndoc: 2\n")
    pack, found, lines = read_pack(files.root / "mine", files.library)
    assert pack
    assert pack.find("record", "a")
    assert len(found) == 1
    assert lines["mine/a.yaml"] == ["record: a", "doc: 1", "doc: 2", ""]


def test_a_file_that_says_nothing_is_a_mistake(files: Files) -> None:
    """What was emptied by accident would otherwise only be missing."""
    files.write("mine/ladder.yaml", "# soon\n")
    hint = "say something in it, or take it away"
    assert files.said() == [f"mine/ladder.yaml:1:1 R026 there is nothing in this file ({hint})"]


# Laying over


def test_saying_nothing_about_what_stands_below_is_a_mistake(files: Files) -> None:
    files.write("mine/a.yaml", "workflow: claim\ndoc: x\n")
    hint = "say `changes: base` or `replaces: base`"
    assert files.said() == [f"mine/a.yaml:1:11 R030 workflow `claim` stands already in pack `base` ({hint})"]


def test_a_document_is_replaced_whole(files: Files) -> None:
    profile = changed(files, "decision: profile\nreplaces: base\ndoc: Mine.\nrows: []\n")
    assert profile.body == {"doc": "Mine.", "rows": []}
    assert profile.written_in == (("mine/a.yaml", "mine"),)
    assert ("replaces",) not in profile.places
    assert ("replaces",) not in profile.key_places


def test_maps_are_merged_by_key_and_scalars_replaced(files: Files) -> None:
    profile = changed(
        files, "decision: profile\nchanges: base\ndoc: Mine.\noutputs: {rate: price, more: text}\nsearch: [[z]]\n"
    )
    assert list(profile.body) == ["doc", "outputs", "search", "rows"]
    assert profile.body["doc"] == "Mine."
    assert profile.body["outputs"] == {"profile": "text", "rate": "price", "more": "text"}
    assert profile.body["search"] == [["z"]]


def test_lists_of_named_things_are_merged_by_name(files: Files) -> None:
    profile = changed(
        files,
        "decision: profile\nchanges: base\nrows:\n"
        "  - {name: second, then: {profile: mine}}\n"
        "  - {name: third, then: {profile: p4}}\n"
        "  - {name: zeroth, before: first, then: {profile: p0}}\n",
    )
    assert profile.body["rows"] == [
        {"name": "zeroth", "then": {"profile": "p0"}},
        {"name": "first", "when": {"method": "fixed"}, "then": {"profile": "p1"}},
        {"name": "second", "when": {"method": "open"}, "then": {"profile": "mine"}},
        {"when": {"method": "none"}, "then": {"profile": "p3"}},
        {"name": "third", "then": {"profile": "p4"}},
    ]


def test_transitions_are_merged_by_event_and_so_is_what_is_in_them(files: Files) -> None:
    text = (
        "workflow: claim\nchanges: base\ntransitions:\n  - event: send\n    require:\n      - {name: more, that: x}\n"
    )
    claim: Any = changed(files, text, "workflow", "claim")
    assert [t["event"] for t in claim.body["transitions"]] == ["create", "send"]
    assert [r["name"] for r in claim.body["transitions"][1]["require"]] == ["has_lines", "more"]
    assert claim.body["transitions"][1]["to"] == "sent"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("add", [{"different": ["a", "b"]}, {"different": ["c", "d"]}]), ("replace", [{"different": ["c", "d"]}])],
)
def test_a_list_without_names_says_what_becomes_of_the_one_below(files: Files, word: str, expected: object) -> None:
    text = f"workflow: claim\nchanges: base\npeople: {{{word}: [{{different: [c, d]}}]}}\n"
    assert changed(files, text, "workflow", "claim").body["people"] == expected


def test_a_list_without_names_is_not_replaced_by_the_way(files: Files) -> None:
    """Whoever adds one more would otherwise take all others out without a word."""
    files.write("mine/a.yaml", "workflow: claim\nchanges: base\npeople: [{different: [c, d]}]\n")
    hint = "write `people: {add: [...]}` or `people: {replace: [...]}`"
    said = "what stands in `people` below has no names: is this added, or instead?"
    assert files.said() == [f"mine/a.yaml:3:9 R034 {said} ({hint})"]


def test_a_list_of_values_is_replaced_unless_it_adds(files: Files) -> None:
    assert changed(files, "decision: profile\nchanges: base\nsearch: [z]\n").body["search"] == ["z"]
    assert changed(files, "decision: profile\nchanges: base\nsearch: {add: [z]}\n").body["search"][-1] == "z"


def test_a_cell_is_replaced_whole(files: Files) -> None:
    """Two bounds that never stood together are no condition."""
    files.write("base/d.yaml", "decision: d\nrows: [{name: a, when: {amount: {above: 5}, kind: x}}]\n")
    text = "decision: d\nchanges: base\nrows: [{name: a, when: {amount: {at_least: 8}}}]\n"
    (row,) = changed(files, text, "decision", "d").body["rows"]
    assert row["when"] == {"amount": {"at_least": "8"}, "kind": "x"}


def test_master_rows_are_told_apart_by_the_key_of_their_record(files: Files) -> None:
    files.write("base/r.yaml", "record: account\nkey: [number]\n---\nmaster: account\nrows: [{number: '1', name: A}]\n")
    text = "master: account\nchanges: base\nrows: [{number: '1', name: B}, {number: '2', name: A}]\n"
    rows = changed(files, text, "master", "account").body["rows"]
    assert rows == [{"number": "1", "name": "B"}, {"number": "2", "name": "A"}]


def test_an_empty_list_empties(files: Files) -> None:
    assert changed(files, "decision: profile\nchanges: base\nrows: []\n").body["rows"] == []


def test_before_is_an_ordinary_word_where_the_list_below_uses_it_so(files: Files) -> None:
    files.write("base/w.yaml", "workflow: w\nalways:\n  - {name: a, before: posted, need: x}\n")
    text = "workflow: w\nchanges: base\nalways:\n  - {name: b, before: posted, need: y}\n"
    document = changed(files, text, "workflow", "w")
    assert document.body["always"] == [
        {"name": "a", "before": "posted", "need": "x"},
        {"name": "b", "before": "posted", "need": "y"},
    ]


def test_named_things_are_removed(files: Files) -> None:
    profile = changed(
        files,
        "decision: profile\nchanges: base\nremove:\n  rows: [first]\n  outputs: [rate]\n  rows.second.when: [method]\n"
        "rows: [{name: first, then: {profile: again}}]\n",
    )
    assert "remove" not in profile.body
    assert profile.body["outputs"] == {"profile": "text"}
    assert profile.body["rows"] == [
        {"name": "second", "when": {}, "then": {"profile": "p2"}},
        {"when": {"method": "none"}, "then": {"profile": "p3"}},
        {"name": "first", "then": {"profile": "again"}},
    ]


def test_removing_goes_through_events_and_plain_lists(files: Files) -> None:
    text = "workflow: claim\nchanges: base\nremove: {transitions: [create], transitions.send.require: [has_lines]}\n"
    claim: Any = changed(files, text, "workflow", "claim")
    assert [(t["event"], t["require"]) for t in claim.body["transitions"]] == [("send", [])]


def test_a_whole_document_is_removed(files: Files) -> None:
    files.write("mine/a.yaml", "decision: profile\nchanges: base\nremove: all\n")
    assert files.load().find("decision", "profile") is None


HEAD = "decision: profile\nchanges: base\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "decision: profil\nchanges: base",
            "1:11 R032 there is no decision `profil` below to change"
            " (did you mean `profile`?)",
        ),
        ("decision: zzz\nreplaces: base", "1:11 R032 there is no decision `zzz` below to replace"),
        (
            "decision: profile\nchanges: bse",
            "2:10 R033 decision `profile` comes from pack `base`"
            " (say `changes: base`)",
        ),
        (
            "decision: profile\nchanges: base\nreplaces: base",
            "2:10 R031 `replaces` and `changes` exclude each other"
            " (keep one)",
        ),
        (
            "decision: profile\nremove: all",
            "2:9 R031 `remove` needs `changes`"
            " (add `changes: NAME` with the name of the pack below)",
        ),
        (
            "decision: profile\nreplaces: base\nremove: all",
            "3:9 R031 `replaces` and `remove` exclude each other"
            " (keep one)",
        ),
        (HEAD + "remove: all\nhit: x", "4:6 R031 `remove: all` leaves no `hit` to change (keep one)"),
        (
            HEAD + "remove: rows",
            "3:9 R035 `remove` says what is removed from where"
            " (write `remove: {rows: [first, second]}` or `remove: all`)",
        ),
        (HEAD + "remove: {rows: first}", "3:16 R035 a list of names is expected (write `rows: [first, second]`)"),
        (HEAD + "remove: {rows: [frist]}", "3:17 R032 there is no `frist` to remove (did you mean `first`?)"),
        (HEAD + "remove: {row: [first]}", "3:10 R032 there is no `row` here below (did you mean `rows`?)"),
        (
            HEAD + "remove: {rows.scond.when: [method]}",
            "3:10 R032 there is no `scond` here below"
            " (did you mean `second`?)",
        ),
        (HEAD + "rows: [{name: x, before: frist}]", "3:26 R032 there is no `frist` in `rows` (did you mean `first`?)"),
        (
            HEAD + "rows: [{name: first, before: second}]",
            "3:30 R034 what is already there keeps its place"
            " (leave `before` out)",
        ),
        (
            HEAD + "rows: [{name: x}, {then: {}}]",
            "3:19 R034 this has no `name`, while `rows` below is laid over by name"
            " (name it)",
        ),
    ],
)  # fmt: skip
def test_mistakes_in_laying_over_are_told(files: Files, text: str, problem: str) -> None:
    files.write("mine/a.yaml", text)
    assert files.said() == ["mine/a.yaml:" + problem]


def test_a_name_that_stands_twice_below_cannot_be_changed(files: Files) -> None:
    files.write("base/w.yaml", "workflow: w\ntransitions: [{event: a, from: x}, {event: a, from: y}]\n")
    files.write("mine/a.yaml", "workflow: w\nchanges: base\ntransitions: [{event: a, to: z}]\n")
    hint = "give each a `name` there"
    assert files.said() == [f"mine/a.yaml:3:15 R034 `a` stands 2 times in `transitions` below ({hint})"]


def test_places_and_origin_point_to_where_each_value_came_from(files: Files) -> None:
    profile = changed(files, HEAD + "rows:\n  - {name: second, then: {profile: mine}}\n  - {name: third}\n")
    assert profile.pack == "mine"
    assert profile.written_in == (("base/deep/profile.yaml", "base"), ("mine/a.yaml", "mine"))
    assert str(profile.places[("rows", 1, "then", "profile")]) == "mine/a.yaml:4:36"
    assert str(profile.places[("rows", 1, "when", "method")]) == "base/deep/profile.yaml:7:35"
    assert str(profile.key_places[("rows", 1, "when")]) == "base/deep/profile.yaml:7:20"
    assert str(profile.name_place) == "base/deep/profile.yaml:1:11"
    assert origin(profile, ("rows", 1, "then", "profile")) == "mine"
    assert origin(profile, ("rows", 1, "when", "method")) == "base"
    assert origin(profile, ("rows", 3)) == "mine"
    assert origin(profile, ("rows", 0, "nothing")) == "base"


def test_three_packs_change_one_document(files: Files) -> None:
    files.write("mine/a.yaml", HEAD + "doc: Mine.\nrows: [{name: third}]\n")
    files.write("top/pack.yaml", "pack: top\nextends: ../mine\n")
    files.write(
        "top/a.yaml", "decision: profile\nchanges: base\nrows: [{name: third, doc: x}]\nremove: {rows: [second]}\n"
    )
    profile: Any = files.load("top").find("decision", "profile")
    assert [row.get("name") for row in profile.body["rows"]] == ["first", None, "third"]
    assert [origin(profile, path) for path in [("doc",), ("rows", 2), ("rows", 2, "doc")]] == ["mine", "mine", "top"]
    assert [pack for _, pack in profile.written_in] == ["base", "mine", "top"]


def test_a_change_leaves_the_pack_below_as_it_was(files: Files) -> None:
    changed(files, HEAD + "rows: [{name: first, then: {profile: mine}}]\n")
    profile: Any = files.load("base").find("decision", "profile")
    assert profile.body["rows"][0]["then"] == {"profile": "p1"}


# As data


def test_a_pack_comes_back_from_its_text(files: Files) -> None:
    files.write("mine/a.yaml", HEAD + "rows:\n  - {name: second, then: {profile: mine}}\n")
    pack = files.load()
    again = Pack.from_text(pack.to_text())
    assert (again.name, again.version, again.hash, again.chain) == (pack.name, pack.version, pack.hash, pack.chain)
    assert dict(again.files) == pack.files
    assert again.to_text() == pack.to_text()
    for document, other in zip(pack.documents, again.documents, strict=True):
        assert dict(document.places) == dict(other.places)
        assert dict(document.key_places) == dict(other.key_places)


def test_the_hash_is_that_of_names_and_texts(files: Files, tmp_path: Path) -> None:
    pack = files.load()
    elsewhere = Files(tmp_path / "elsewhere")
    assert elsewhere.load().hash == pack.hash
    assert len(pack.hash) == 64
    assert pack.hash == "3b0b52bda1275d615cde989d597aa3d6e6dccff4b72920146b0c1e5593a9bef2"


@pytest.mark.parametrize("name", ["mine/pack.yaml", "base/deep/profile.yaml", "core/actor.yaml"])
def test_the_hash_changes_with_any_text_of_the_chain(files: Files, name: str) -> None:
    before = files.load().hash
    files.write(name, (files.root / name).read_bytes() + b"# a remark\n")
    assert files.load().hash != before


def test_line_ends_of_windows_leave_the_hash_as_it_is(files: Files) -> None:
    before = files.load().hash
    files.write("flows/claim.yaml", CLAIM.replace("\n", "\r\n"))
    assert files.load().hash == before


def test_documents_cannot_be_changed(files: Files) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        files.load().documents[0].name = "x"  # type: ignore[misc]


def test_the_packs_of_the_package_are_found_by_name() -> None:
    known = library()
    assert known.folder("base") == known.root / "rules"
    assert known.folder("core") == known.root / "schemas" / "core"
    assert known.folder("other") is None
