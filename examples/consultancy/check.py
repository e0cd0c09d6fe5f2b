"""Holds the books of the consultancy against what stands behind them: `python check.py COMPANY FROM UNTIL`.

Each line tells an amount in the ledger, the same from somewhere else, and whether they agree to the cent; then what
should have been done by the last day and was not. Anything amiss ends it with 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

COMPANY, FROM, UNTIL = sys.argv[1:4]
THE_DAY_AFTER = f"{date.fromisoformat(UNTIL) + timedelta(days=1)}"  # accruals for the period are taken back by then


def charter(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(["charter", "-o", "json", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"charter {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


class Statement:
    """A statement as of the last day; its figures by column, added up."""

    def __init__(self, name: str, *, until: str = UNTIL, since: bool = False) -> None:
        given = [f"company={COMPANY}", f"until={until}", *([f"from={FROM}"] if since else [])]
        answer = charter("report", name, *given)
        self.rows = {row["key"]: row["values"] for block in answer["blocks"] for row in block["rows"]}

    def sum(self, column: str, *keys: str) -> Decimal:
        chosen = [self.rows[key] for key in keys if key in self.rows] if keys else self.rows.values()
        return sum((Decimal(values[column] or 0) for values in chosen), Decimal(0))

    def sizes(self, column: str) -> Decimal:
        return sum((abs(Decimal(values[column] or 0)) for values in self.rows.values()), Decimal(0))


def records(of: str, where: str) -> list[dict[str, Any]]:
    found = charter("list", of, "--where", where)["records"]
    return [record["fields"] | {"key": record["key"]} for record in found]


def total(of: str, where: str, field: str) -> Decimal:
    return sum((Decimal(record[field]) for record in records(of, where)), Decimal(0))


def cost_on(where: str) -> Decimal:
    """Cost that stands in profit and loss or on the balance sheet, by the transactions."""
    booked = f"company.number == '{COMPANY}' and state in ('posted', 'reversing', 'entered')"
    return total("transaction", f"type == 'cost' and posted_to == '{where}' and {booked}", "accounting_amount")


def agreements() -> Iterator[tuple[str, Decimal, Decimal]]:
    """What is compared, in the ledger, and elsewhere."""
    trial, sheet = Statement("trial_balance", since=True), Statement("balance_sheet")
    profit, by_project = Statement("profit_and_loss", since=True), Statement("profit_by_project", since=True)
    balances, customers = Statement("balance_by_project"), Statement("customer_balances")
    yield "Debits and credits", trial.sum("debit"), trial.sum("credit")
    yield "Result of the year and what the balance sheet has more", profit.sum("result"), sheet.sum("balance")
    opened = Statement("open_items").sum("open") + Statement("unapplied_payments").sum("unapplied")
    yield "Trade receivables and open items", sheet.sum("balance", "1300"), opened
    yield "Trade receivables and customers", sheet.sum("balance", "1300"), customers.sum("owed")
    yield "What they differ by, customer by customer", customers.sizes("difference"), Decimal(0)
    at_cost = sheet.sum("balance", "1550", "1551")
    yield "Work in progress at cost and projects", at_cost, balances.sum("cost")
    yield "Work in progress at cost and transactions", at_cost, cost_on("balance")
    yield "Work in progress at sales value and projects", sheet.sum("balance", "1560"), balances.sum("sales")
    yield "Invoiced on account and projects", -sheet.sum("balance", "2400"), balances.sum("on_account")
    accruals = Statement("accrual_reconciliation", until=THE_DAY_AFTER)
    yield "Accruals and transactions, on the day after", accruals.sum("wip"), accruals.sum("transactions")
    yield "What they differ by, project by project", accruals.sizes("difference"), Decimal(0)
    yield "Revenue and projects", profit.sum("result", "4000", "4010", "4050"), by_project.sum("revenue")
    spent = -profit.sum("result", "5000")
    shared_out = total("allocation_line", "allocation.state == 'posted' and project is none", "amount")
    yield "Cost and transactions", spent, cost_on("profit_and_loss")
    yield "Cost, projects and what they shared out", spent, by_project.sum("cost") + shared_out
    taxed = f"company.number == '{COMPANY}' and state != 'draft' and currency == 'EUR'"
    yield "Sales tax and invoices", -sheet.sum("balance", "2300"), total("invoice", taxed, "tax")
    opening = total("opening_line", "state == 'posted' and account_key == 'cash'", "amount")
    paid = total("customer_payment", f"company.number == '{COMPANY}' and state == 'posted'", "accounting")
    yield "Bank and payments", sheet.sum("balance", "1200"), opening + paid


def left_undone() -> Iterator[str]:
    """What should not be there once the months are closed."""
    undone = {
        "timesheet": "state != 'approved'",
        "expense_report": "state != 'posted'",
        "entry_journal": "state != 'confirmed'",
        "invoice_proposal": "state not in ('posted', 'discarded')",
        "period": f"state != 'closed' and until <= date('{UNTIL}')",
        "transaction": f"(state == 'registered' and work_date <= date('{UNTIL}'))"
        " or (billed in ('ready', 'proposed') and project.invoicing_frequency == 'monthly')",
    }
    for of, where in undone.items():
        yield from (f"{of} {r['key']} is {r['state']} {r.get('billed', '')}".rstrip() for r in records(of, where))


def main() -> int:
    lines = [(what, ledger, other, ledger - other) for what, ledger, other in agreements()]
    for what, ledger, other, difference in lines:
        verdict = "agree" if difference == 0 else f"DIFFER BY {difference}"
        print(f"{what:<56} {ledger:>14} {other:>14}  {verdict}")
    undone = list(left_undone())
    print("\n".join(undone[:20]) if undone else "Nothing is left undone: all is approved, posted, invoiced and closed.")
    return 1 if undone or any(difference != 0 for *_, difference in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
