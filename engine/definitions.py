"""What a pack declares, as frozen values: one class for each word of the language, built from a document's plain text.

Building assumes that the JSON Schema of the kind was satisfied; names and types are looked at in `check`. This is the
face of the modules that hold the definitions by their subject; elsewhere it is imported `as d`.
"""

from __future__ import annotations

from .elements import Element, Source, Text, dotted
from .limit_definitions import LEVELS, Limit, build_limit
from .pack_definitions import Ledger, Manifest, Role, build_manifest
from .record_definitions import BOUNDS, Cell, Child, Field, Record, build_cells, build_field, build_record
from .rule_definitions import (
    Calendar,
    Decision,
    Entry,
    Formulas,
    Measure,
    Parameter,
    Posting,
    PostingRow,
    Process,
    Row,
    ShareOut,
    build_calendar,
    build_decision,
    build_formulas,
    build_measure,
    build_parameters,
    build_posting,
    build_process,
    build_share_out,
)
from .workflow_definitions import (
    NOTHING,
    Always,
    Find,
    People,
    Requirement,
    State,
    Step,
    Transition,
    Use,
    Who,
    Workflow,
    build_step,
    build_uses,
    build_workflow,
)

__all__ = [
    "BOUNDS", "LEVELS", "NOTHING", "Always", "Calendar", "Cell", "Child", "Decision", "Element", "Entry", "Field",
    "Find", "Formulas", "Ledger", "Limit", "Manifest", "Measure", "Parameter", "People", "Posting", "PostingRow",
    "Process", "Record", "Requirement", "Role", "Row", "ShareOut", "Source", "State", "Step", "Text", "Transition",
    "Use", "Who", "Workflow", "build_calendar", "build_cells", "build_decision", "build_field", "build_formulas",
    "build_limit", "build_manifest", "build_measure", "build_parameters", "build_posting", "build_process",
    "build_record", "build_share_out", "build_step", "build_uses", "build_workflow", "dotted",
]  # fmt: skip
