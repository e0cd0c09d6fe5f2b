"""The base pack with twice its size of definitions on top, to see what does not depend on how many there are."""

from __future__ import annotations

from pathlib import Path

import scene

RECORD = """record: extra_{n}
doc: One of many record types that nobody uses here.
workflows: [extra_{n}]
key: [number]
fields:
  number: {{type: text, doc: Its number.}}
  name: {{type: text, doc: Its name.}}
{fields}
"""
FIELD = "  amount_{i}: {{type: number, optional: true, doc: A figure of it.}}"
WORKFLOW = """workflow: extra_{n}
doc: It is made, and goes from one state to the next.
of: extra_{n}
states:
  s0: {{doc: It was made.}}
{states}
transitions:
  - {{event: create, from: nothing, to: s0, who: {{role: administrator}}, takes: [number, name]}}
{transitions}
"""
STATE = "  s{i}: {{doc: A state.{final}}}"
TRANSITION = """  - event: to_{i}
    doc: It goes on to the next state, if it has a name.
    from: s{before}
    to: s{i}
    who: {{role: administrator}}
    takes: [amount_{i}]
    require:
      - {{that: "name != ''", else: "{{number}} needs a name."}}
      - {{that: "amount_{i} is none or amount_{i} >= {i}", else: "{{amount_{i}}} is less than {i}."}}"""
STATES = 8


def pack(folder: Path) -> scene.Pack:
    """A pack that extends the base pack, which it makes three times as large."""
    folder.mkdir()
    (folder / "pack.yaml").write_text("pack: larger\nversion: 1.0.0\nextends: base\ndoc: The base pack and more.\n")
    lines = sum(text.count("\n") for text in scene.base().files.values())
    written, number = 0, 0
    while written < 2 * lines:
        for kind, text in (("record", record(number)), ("workflow", workflow(number))):
            (folder / f"{kind}_{number}.yaml").write_text(text)
            written += text.count("\n")
        number += 1
    return scene.catalog.load(folder)


def record(n: int) -> str:
    return RECORD.format(n=n, fields="\n".join(FIELD.format(i=i) for i in range(1, STATES)))


def workflow(n: int) -> str:
    states = [STATE.format(i=i, final=", final: true" if i == STATES - 1 else "") for i in range(1, STATES)]
    transitions = [TRANSITION.format(i=i, before=i - 1) for i in range(1, STATES)]
    return WORKFLOW.format(n=n, states="\n".join(states), transitions="\n".join(transitions))
