"""Measures Charter against floors taken in the same run; prints ratios and writes them to build/bench.json.

`python bench/run.py [--lines N] [--million] [NAME...]`. docs/speed.md says what each means.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import invoicing
import posting
import proving
import starting
from measure import Result

BUILD = Path(__file__).resolve().parent.parent / "build"
MEASURES = {
    "post_sqlite": posting.post_sqlite, "post_postgresql": posting.post_postgresql, "invoices": invoicing.invoices,
    "history": posting.history,
    "explanation": posting.explanation, "memory": posting.memory, "verify": proving.verification,
    "guards": proving.guards, "fire_cold": starting.fire_cold, "help_cold": starting.help_cold, "check": proving.check,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MEASURES], help="what to measure; everything by default")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--million", action="store_true", help="also the memory of a million lines; it takes long")
    given = parser.parse_args()
    chosen = {name: MEASURES[name] for name in given.names or MEASURES}
    if given.million:
        chosen["memory_million"] = posting.memory_million
    BUILD.mkdir(exist_ok=True)
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in chosen.items():
            print(f"measuring {name} …", file=sys.stderr)
            results |= measure(Path(folder), given.lines)
            # At once, so that what was measured is there even if a later one fails.
            (BUILD / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    for name, r in results.items():
        print(f"{name:22} {r['value']:>12,.4g} {r['unit']:30} floor {r['floor']:>12,.4g}   ratio {r['ratio']:.2f}")


if __name__ == "__main__":
    main()
