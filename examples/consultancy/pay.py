"""Turns open invoices into what customers pay this month: `charter -o json list invoice … | python pay.py FOLDER DAY`.

Customers pay what they owe a month after the date of the invoice. One pays in two halves, one keeps something back.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

IN_HALVES = "U-04"
KEPT_BACK = {"C-05/6": Decimal(180)}
CENT = Decimal("0.01")


def payments(invoices: list[dict[str, str]], day: str) -> Iterator[tuple[dict[str, str], Decimal]]:
    """An invoice and what is paid of it."""
    for invoice in invoices:
        opened = Decimal(invoice["open"]) - KEPT_BACK.get(invoice["key"], 0)
        in_halves = invoice["customer"] == IN_HALVES and opened == Decimal(invoice["gross"])
        if opened:
            yield invoice, (opened / 2).quantize(CENT, ROUND_HALF_UP) if in_halves else opened


def main(folder: Path, day: str) -> None:
    records = json.load(sys.stdin)["records"]
    paid = list(payments([r["fields"] | {"key": r["key"]} for r in records], day))
    with (
        (folder / "payments.csv").open("w", newline="") as file,
        (folder / "settlements.csv").open("w", newline="") as to,
    ):
        bank, settled = csv.writer(file, lineterminator="\n"), csv.writer(to, lineterminator="\n")
        bank.writerow(["company", "number", "customer", "date", "currency", "amount", "note"])
        settled.writerow(["payment", "invoice", "date"])
        for number, (invoice, amount) in enumerate(paid, 1):
            name = f"{day[:7]}-{number:02}"
            bank.writerow(
                [invoice["company"], name, invoice["customer"], day, invoice["currency"], amount, invoice["key"]]
            )
            settled.writerow([f"{invoice['company']}/{name}", invoice["key"], day])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
