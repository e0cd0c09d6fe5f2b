"""Lays the documents of one pack over those below: maps by key, lists of named things by name, cells and values whole.

What has no name cannot be told apart, so a list of such things says whether it is added or stands instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .errors import Diagnostic, Place
from .pack_files import DocumentKey, Layer
from .pack_nodes import Node, indexes_of, lift, lowered, names_in, text_of
from .source import Body, Document, Route, did_you_mean

LIST_WORDS = ("add", "replace")  # what is done with a list below whose things have no names


@dataclass
class Laid:
    """The documents of the packs laid so far, and the problems of laying them."""

    found: list[Diagnostic]
    documents: dict[DocumentKey, Document] = field(default_factory=dict)

    def lay(self, layer: Layer) -> None:
        """Lay a pack's documents over those below."""
        below = dict(self.documents)
        for document in layer.documents:
            key = (document.kind, document.name)
            laid = self._over(document, below.get(key), below)
            if laid:
                self.documents[key] = laid
            else:
                self.documents.pop(key, None)

    def _over(self, document: Document, below: Document | None, all_below: Iterable[DocumentKey]) -> Document | None:
        """The document as it now is, None where there is none; after a mistake, which is reported, what was below."""
        says = [word for word in ("replaces", "changes") if word in document.body]
        if not says:
            return self._said_nothing(document, below)
        if len(says) == 2:
            self._report("R031", "`replaces` and `changes` exclude each other", document, ("changes",), "keep one")
        elif below is None:
            said = f"there is no {document.kind} `{document.name}` below to {says[0].removesuffix('s')}"
            hint = did_you_mean(document.name, [name for kind, name in all_below if kind == document.kind])
            self.found.append(Diagnostic("R032", said, document.name_place, len(document.name), hint))
        elif self._names_its_pack(document, below, says[0]):
            return self._changed(document, below) if says == ["changes"] else self._replaced(document, below)
        return below

    def _said_nothing(self, document: Document, below: Document | None) -> Document | None:
        if "remove" in document.body:
            hint = "add `changes: NAME` with the name of the pack below"
            self._report("R031", "`remove` needs `changes`", document, ("remove",), hint)
            return below
        if below is None:
            return document
        hint = f"say `changes: {below.pack}` or `replaces: {below.pack}`"
        said = f"{document.kind} `{document.name}` stands already in pack `{below.pack}`"
        self.found.append(Diagnostic("R030", said, document.name_place, len(document.name), hint))
        return below

    def _names_its_pack(self, document: Document, below: Document, word: str) -> bool:
        packs = list(dict.fromkeys(pack for _, pack in below.written_in))
        asked = document.body[word]
        if asked in packs:
            return True
        said = f"{document.kind} `{document.name}` comes from pack {', '.join(f'`{pack}`' for pack in packs)}"
        self._report("R033", said, document, (word,), f"say `{word}: {packs[-1]}`")
        return False

    def _replaced(self, document: Document, below: Document) -> Document:
        if "remove" in document.body:
            self._report("R031", "`replaces` and `remove` exclude each other", document, ("remove",), "keep one")
            return below
        return _without(document, "replaces")

    def _changed(self, document: Document, below: Document) -> Document | None:
        removed = document.body.get("remove", {})
        if removed == "all":
            more = [word for word in document.body if word not in ("changes", "remove", "doc")]
            for word in more:
                self._report("R031", f"`remove: all` leaves no `{word}` to change", document, (word,), "keep one")
            return below if more else None
        keys = self._keys_of(document.name) if document.kind == "master" else ()
        node = self._remove(lift(below.whole, below, (), keys), document, removed)
        # The name keeps the place of the document that all this is about.
        said = _without(document, "changes", "remove")
        merged = self._merged(node, lift(said.body, said, (), keys), document.kind)
        written = (*below.written_in, *(part for part in document.written_in if part not in below.written_in))
        return lowered(merged, replace(document, written_in=written))

    def _keys_of(self, record: str) -> list[str]:
        """The fields by which people call the records of a type, as far as it is declared by now."""
        declared = self.documents.get(("record", record))
        key = declared.body.get("key") if declared else None
        fields = key.get("fields") if isinstance(key, dict) else key
        return [str(name) for name in fields] if isinstance(fields, list) else []

    def _report(self, code: str, said: str, document: Document, path: Route, hint: str = "") -> None:
        value = document.body.get(str(path[0]))
        length = len(value) if isinstance(value, str) else 1
        self.found.append(Diagnostic(code, said, document.place(path), length, hint))

    # Merging

    def _merged(self, below: Node, above: Node, what: str) -> Node:
        """The node above laid over the one below."""
        if isinstance(below.value, dict) and isinstance(above.value, dict):
            values = dict(below.value)
            for key, node in above.value.items():
                # A cell is one condition: its bounds are not mixed with those below.
                is_there = key in values and what != "when"
                values[key] = self._merged(values[key], node, key) if is_there else node
            return replace(below, value=values)
        if isinstance(below.value, list) and isinstance(above.value, dict) and len(above.value) == 1:
            (word,) = above.value
            return self._added_or_replaced(below, above.value[word], word) if word in LIST_WORDS else above
        if not isinstance(below.value, list) or not isinstance(above.value, list):
            return above
        if any(node.called for node in below.value) and any(node.called for node in above.value):
            return replace(below, value=self._merged_list(below.value, above.value, what))
        if below.value and above.value and any(isinstance(n.value, dict) for n in (*below.value, *above.value)):
            hint = f"write `{what}: {{add: [...]}}` or `{what}: {{replace: [...]}}`"
            self._say("R034", f"what stands in `{what}` below has no names: is this added, or instead?", above, hint)
            return below
        return above

    def _added_or_replaced(self, below: Node, above: Node, word: str) -> Node:
        assert isinstance(below.value, list)
        if not isinstance(above.value, list):
            self._say("R035", f"`{word}` takes a list", above, f"write `{word}: [...]`")
            return below
        return replace(above, value=[*below.value, *above.value]) if word == "add" else above

    def _merged_list(self, below: list[Node], above: list[Node], what: str) -> list[Node]:
        values = list(below)
        # Where the things of this list have a word `before` of their own, it says nothing about their order.
        has_position = not any(text_of(node, "before") for node in below)
        for node in above:
            name = node.called
            at = [index for index, other in enumerate(values) if name is not None and other.called == name]
            if name is None:
                self._say("R034", f"this has no `name`, while `{what}` below is laid over by name", node, "name it")
            elif len(at) > 1:
                self._say(
                    "R034", f"`{name}` stands {len(at)} times in `{what}` below", node, "give each a `name` there"
                )
            elif at:
                self._keeps_its_place(node, has_position)
                values[at[0]] = self._merged(values[at[0]], node, what)
            else:
                self._insert(values, node, has_position, what)
        return values

    def _keeps_its_place(self, node: Node, has_position: bool) -> None:
        if has_position and (before := text_of(node, "before")):
            self._say("R034", "what is already there keeps its place", before, "leave `before` out")

    def _insert(self, values: list[Node], node: Node, has_position: bool, what: str) -> None:
        """Append a new thing, or put it before the one that it names."""
        before = text_of(node, "before") if has_position else None
        if before is None:
            values.append(node)
            return
        names = [other.called for other in values]
        if before.value not in names:
            hint = did_you_mean(str(before.value), [name for name in names if name])
            self._say("R032", f"there is no `{before.value}` in `{what}`", before, hint)
            return
        assert isinstance(node.value, dict)
        rest = {key: value for key, value in node.value.items() if key != "before"}
        values.insert(names.index(str(before.value)), replace(node, value=rest))

    def _say(self, code: str, said: str, node: Node, hint: str = "") -> None:
        length = len(node.value) if isinstance(node.value, str) else 1
        self.found.append(Diagnostic(code, said, node.place, length, hint))

    # Removing

    def _remove(self, node: Node, document: Document, removed: Body) -> Node:
        """The node without what `remove` names."""
        if not isinstance(removed, dict):
            hint = "write `remove: {rows: [first, second]}` or `remove: all`"
            self._report("R035", "`remove` says what is removed from where", document, ("remove",), hint)
            return node
        for where, names in removed.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                hint = f"write `{where}: [first, second]`"
                self._report("R035", "a list of names is expected", document, ("remove", where), hint)
                continue
            for at, name in enumerate(names):
                place = document.places[("remove", where, at)]
                node = self._removed(node, where.split("."), str(name), document.key_places[("remove", where)], place)
        return node

    def _removed(self, node: Node, steps: list[str], name: str, where: Place, place: Place) -> Node:
        """The node without the named thing in what the steps lead to; the same, and a problem, if it is not there."""
        sought = steps[0] if steps else name
        indexes = indexes_of(node, sought)
        if not indexes:
            said = f"there is no `{sought}` " + ("here below" if steps else "to remove")
            hint = did_you_mean(sought, names_in(node))
            self.found.append(Diagnostic("R032", said, where if steps else place, len(sought), hint))
            return node
        if isinstance(node.value, dict):
            values = dict(node.value)
            inner = values.pop(sought)
            if steps:
                values = {**node.value, sought: self._removed(inner, steps[1:], name, where, place)}
            return replace(node, value=values)
        assert isinstance(node.value, list)
        if not steps:
            return replace(node, value=[other for at, other in enumerate(node.value) if at not in indexes])
        changed = [
            self._removed(other, steps[1:], name, where, place) if at in indexes else other
            for at, other in enumerate(node.value)
        ]
        return replace(node, value=changed)


def _without(document: Document, *words: str) -> Document:
    body = {key: value for key, value in document.body.items() if key not in words}
    places = {path: place for path, place in document.places.items() if not (path and path[0] in words)}
    key_places = {path: place for path, place in document.key_places.items() if path[0] not in words}
    return replace(document, body=body, places=places, key_places=key_places)
