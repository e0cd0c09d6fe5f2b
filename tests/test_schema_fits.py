"""That a document fits its schema is found out quickly, with the answer of the library that explains what is wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from charter.engine.catalog import library, load
from charter.engine.schema_fits import fits
from charter.engine.schema_validators import checker_of

SCHEMAS = library().root / "schemas"
PACKS = [library().root / "examples" / "travel_claims", Path(__file__).parent / "packs" / "depot"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: the map or list, and the key or index in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def spoiled(whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A document in which one thing is missing, misnamed, doubled, or something else."""
    other = deepcopy(whole)
    inside, key = chance.choice(list(places(other)))
    match chance.randrange(4):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[f"{key}s"] = inside.pop(key)
        case 2 if isinstance(inside, list):
            inside.append(deepcopy(inside[key]))
        case _:
            inside[key] = chance.choice(
                ["", "x y", "true", "-1", "3.5", "nothing", None, [], {}, ["a", "a"], {"a": "b"}]
            )
    return other


@pytest.mark.parametrize("folder", PACKS, ids=lambda folder: folder.name)
def test_the_quick_answer_is_that_of_the_library(folder: Path) -> None:
    chance = random.Random(11)
    answers = {True: 0, False: 0}
    for document in load(folder).documents:
        quick, checker = fits(SCHEMAS, document.kind), checker_of(SCHEMAS, document.kind)
        assert quick(document.whole), f"{document.kind} {document.name} fits"
        for _ in range(6):
            whole = spoiled(document.whole, chance)
            answer = quick(whole)
            assert answer == (next(checker.errors(whole), None) is None), whole
            answers[answer] += 1
    assert min(answers.values()) > 20, answers
