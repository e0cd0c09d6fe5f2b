"""Makes the files of a year of a consultancy: who works there, for whom, at which prices, and what they did each day.

`python examples/consultancy/make_files.py FOLDER` writes them, the same ones every time. They are made up; nothing in
them comes from a real company. What becomes of them in the books is said by the rules alone: see year.sh.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
YEAR = 2025
COMPANY = "LINDEN"
FIRST, LAST = date(YEAR, 1, 1), date(YEAR, 12, 31)

# number, name, group, contract line, manager, profit center, invoicing
PROJECTS = [
    ("A-01", "Ferry timetable", "TM", "C-01/1", "mia", "transport", "monthly"),
    ("A-02", "Ticket machines", "TM-ACCRUED", "C-01/1", "mia", "transport", "monthly"),
    ("A-03", "Harbor crane study", "TM", "C-02/1", "mia", "transport", "quarterly"),
    ("A-04", "Ward planning", "TM-ACCRUED", "C-03/1", "mia", "health", "monthly"),
    ("A-05", "Laboratory records", "TM-CLEARED", "C-03/1", "mia", "health", "monthly"),
    ("A-06", "Tram depot", "TM-WIP", "C-04/1", "mia", "transport", "monthly"),
    ("A-07", "Payroll for a theater", "TM-LATER", "C-05/1", "mia", "public", "monthly"),
    ("A-08", "Support of the registry", "TM", "C-06/1", "mia", "public", "monthly"),
    ("A-09", "Rail signal review", "TM-ACCRUED", "C-07/1", "mia", "transport", "monthly"),
    ("A-10", "Pump control", "TM", "C-08/1", "mia", "industry", "at_completion"),
    ("B-01", "School intranet", "FP", "C-09/1", "mia", "public", "monthly"),
    ("B-02", "Clinic web site", "FP", "C-10/1", "mia", "health", "monthly"),
    ("B-03", "Warehouse move", "FP-WIP", "C-11/1", "mia", "industry", "monthly"),
    ("D-01", "Own planning tool", "INVESTMENT", "", "lea", "", ""),
    ("D-02", "New office", "INVESTMENT", "", "lea", "", ""),
    ("E-01", "Training of juniors", "COST", "", "lea", "", ""),
    ("F-01", "Administration", "INTERNAL", "", "lea", "", ""),
    ("F-02", "Offers and sales", "INTERNAL-WIP", "", "lea", "", ""),
    ("Z-01", "Vacation", "TIME", "", "lea", "", ""),
    ("Z-02", "Sickness", "TIME", "", "lea", "", ""),
]
CUSTOMERS = [
    ("U-01", "Ferry Company", "EUR"), ("U-02", "Harbor Board", "EUR"), ("U-03", "Lakeside Hospital", "EUR"),
    ("U-04", "City Tram", "EUR"), ("U-05", "Old Theater", "EUR"), ("U-06", "Land Registry", "EUR"),
    ("U-07", "Northern Rail", "GBP"), ("U-08", "Delta Pumps", "USD"), ("U-09", "Gate School", "EUR"),
    ("U-10", "Hill Clinic", "EUR"), ("U-11", "Stone Warehouses", "EUR"),
]  # fmt: skip
TEAMS = {  # who works mainly for what
    "ships": ["A-01", "A-02", "A-09"], "machines": ["A-03", "A-06", "A-10", "B-03"], "health": ["A-04", "A-05", "B-02"],
    "public": ["A-07", "A-08", "B-01"], "office": ["D-01", "D-02", "E-01", "F-01", "F-02"],
}  # fmt: skip
ROLES = ["consultant", "consultant", "senior", "worker"]
NAMES = [
    "Ada Arn", "Ben Bach", "Cleo Cramer", "Dina Dorn", "Emil Engel", "Fay Fink", "Gus Graf", "Hana Heller",
    "Ivo Imhof", "Jana Jung", "Karl Kern", "Lena Lang", "Max Moser", "Nina Neff", "Otto Ort", "Pia Pohl",
    "Quin Quast", "Rosa Roth", "Sven Sommer", "Tara Thal", "Udo Ulm", "Vera Voss", "Wim Weber", "Xenia Xaver",
    "Yara Yilmaz", "Zoe Zander", "Alma Adler", "Bruno Bauer", "Carla Conrad", "David Decker",
]  # fmt: skip

LATE = {("W03", date(YEAR, 1, 20)): 14}  # days; its hours go to the books of February


def workers() -> Iterator[tuple[str, str, str, str]]:
    """Number, name, role, team."""
    teams = list(TEAMS)
    for i, name in enumerate(NAMES):
        yield f"W{i + 1:02}", name, ROLES[i % len(ROLES)], teams[i % len(teams)]


def weeks() -> Iterator[date]:
    monday = date(YEAR, 1, 6)
    while monday <= date(YEAR, 12, 22):
        yield monday
        monday += timedelta(days=7)


def absence(chance: random.Random, monday: date) -> tuple[str, str, int] | None:
    """A week of vacation or some days of sickness: project, category, days."""
    if chance.random() < (0.3 if monday.month in (7, 8) else 0.04):
        return "Z-01", "absence", 5
    return ("Z-02", "sickness", chance.randint(1, 3)) if chance.random() < 0.03 else None


def day_of_work(chance: random.Random, mine: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Project, category and hours: a day on one project, or on two."""
    first = chance.choice(mine)
    hours = chance.choice([7.5, 8, 8, 8.25])
    if chance.random() < 0.2:
        part = chance.choice([1.5, 2, 3, 4])
        yield chance.choice([*mine, "F-01"] if first != "F-01" else mine), "work", part
        hours -= part
    yield first, "travel_time" if chance.random() < 0.06 else "work", hours


def week_of(chance: random.Random, team: str, monday: date) -> Iterator[tuple[date, str, str, float]]:
    """Day, project, category and hours of a worker."""
    mine = chance.sample(TEAMS[team], k=chance.choice([1, 2, 2]))
    if chance.random() < 0.12:
        mine.append(chance.choice(["F-02", "E-01"]))
    away = absence(chance, monday)
    for i in range(5):
        day = monday + timedelta(days=i)
        if away and i < away[2]:
            yield day, away[0], away[1], 8.0
        else:
            yield from ((day, *part) for part in day_of_work(chance, mine))


def hour_lines() -> Iterator[tuple[date, tuple[object, ...]]]:
    """The first day of the week, and a row of timesheets.csv."""
    chance = random.Random(YEAR)
    for monday in weeks():
        for number, _, _, team in workers():
            for line, (day, project, category, hours) in enumerate(week_of(chance, team, monday), 1):
                row = (number, monday, line, f"{day:%d/%m/%Y}", project, "", category, f"{hours:g}", "", "")
                yield monday, row


def receipts() -> Iterator[tuple[str, tuple[object, ...]]]:
    """The month, and a row of expenses.csv: journeys of those who work for customers."""
    chance = random.Random(YEAR + 1)
    travelers = [w for w in workers() if w[3] != "office"]
    for month in range(1, 13):
        for i, (number, name, _, team) in enumerate(chance.sample(travelers, k=6), 1):
            project = chance.choice(TEAMS[team])
            day = date(YEAR, month, chance.randint(2, 24))
            currency = next(c[2] for c in CUSTOMERS if contract_of(project).startswith(f"C-{c[0][2:]}"))
            nights = chance.randint(1, 3)
            trip = [
                ("travel", 1, currency, chance.choice([86.4, 129, 212.8]), "Train"),
                ("lodging", nights, currency, nights * chance.choice([98, 119, 142.5]), "Hotel"),
            ]
            for line, (category, quantity, paid_in, amount, what) in enumerate(trip, 1):
                report = f"{YEAR}-{month:02}-{i}"
                purpose = f"{name.split()[0]} at the customer"
                spent = (f"{day:%d/%m/%Y}", category, quantity, paid_in, f"{amount:.2f}", "", what)
                yield f"{YEAR}-{month:02}", (report, number, purpose, project, line, *spent)


def contract_of(project: str) -> str:
    return next(p[3] for p in PROJECTS if p[0] == project)


def handed_in(worker: object, monday: date) -> str:
    """The month in which the sheet of a week is handed in: that of its Friday, unless it is late."""
    days = 4 + LATE.get((worker, monday), 0)
    return f"{monday + timedelta(days=days):%Y-%m}"


def write(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def months() -> Iterator[tuple[date, date]]:
    for month in range(1, 14):
        first = date(YEAR + month // 13, month % 13 + month // 13, 1)
        following = (first + timedelta(days=32)).replace(day=1)
        yield first, following - timedelta(days=1)


def main(folder: Path) -> None:
    write_people(folder)
    write_work(folder)
    write_prices(folder)
    sheets: dict[str, list[tuple[object, ...]]] = {}
    for monday, row in hour_lines():
        sheets.setdefault(handed_in(row[0], monday), []).append(row)
    trips: dict[str, list[tuple[object, ...]]] = {}
    for month, row in receipts():
        trips.setdefault(month, []).append(row)
    for month, rows in trips.items():
        header = "report,worker,purpose,project,number,date,category,quantity,currency,amount,tax,description"
        write(folder / month / "expenses.csv", header, rows)
    for month, rows in sheets.items():
        header = "worker,week_start,number,date,project,task,category,hours,billing,description"
        write(folder / month / "timesheets.csv", header, rows)


def write_people(folder: Path) -> None:
    people = [
        ("mia", "Mia, manager of work for customers"), ("lea", "Lea, manager of the rest"), ("pat", "Pat, accountant"),
        ("cora", "Cora, controller"), ("dan", "Dan, head of department"),
        ("eve", "Eve, director"), ("tim", "Tim, timekeeper"),
        ("ben", "Ben, billing clerk"), ("kim", "Kim, billing manager"),
    ]  # fmt: skip
    write(folder / "actors.csv", "number,name", people)
    grants = [(manager, "project_manager", f"project/{p[0]}", FIRST) for p in PROJECTS for manager in [p[4]]]
    held = {"pat": "accountant", "cora": "controller", "dan": "department_head", "eve": "director", "tim": "timekeeper",
            "ben": "billing_clerk", "kim": "billing_manager"}  # fmt: skip
    grants += [(actor, role, "", FIRST) for actor, role in held.items()]
    write(folder / "role_grants.csv", "actor,role,held_for,from", grants)
    write(folder / "workers.csv", "number,name,company,role", ((n, t, COMPANY, r) for n, t, r, _ in workers()))


def write_work(folder: Path) -> None:
    write(folder / "companies.csv", "number,name,currency", [(COMPANY, "Linden Consulting", "EUR")])
    write(folder / "periods.csv", "company,number,from,until", ((COMPANY, f"{a:%Y-%m}", a, b) for a, b in months()))
    centers = sorted({p[5] for p in PROJECTS if p[5]})
    write(folder / "profit_centers.csv", "number,name", ((c, c.title()) for c in centers))
    write(folder / "customers.csv", "number,name", ((n, name) for n, name, _ in CUSTOMERS))
    contracts = [(f"C-{i:02}", name, COMPANY, n, currency) for i, (n, name, currency) in enumerate(CUSTOMERS, 1)]
    write(folder / "contracts.csv", "number,name,company,customer,currency", contracts)
    method = {p[3]: "fixed_price" if p[2].startswith("FP") else "time_and_material" for p in PROJECTS if p[3]}
    lines = [(*line.split("/"), "Work as agreed", how) for line, how in sorted(method.items())]
    write(folder / "contract_lines.csv", "contract,number,name,method", lines)
    header = "number,name,company,group,contract_line,profit_center,invoicing_frequency"
    write(folder / "projects.csv", header, ((n, t, COMPANY, g, c, pc, f) for n, t, g, c, _, pc, f in PROJECTS))


def write_prices(folder: Path) -> None:
    costs = [("all", "", 41.5), ("consultant", "consultant", 58.25), ("senior", "senior", 83.4)]
    raised = 1.03
    rows = [(n, COMPANY, r, c, FIRST, date(YEAR, 6, 30)) for n, r, c in costs]
    rows += [(f"{n}-2", COMPANY, r, round(c * raised, 2), date(YEAR, 7, 1), "") for n, r, c in costs]
    write(folder / "hour_costs.csv", "number,company,role,cost,from,until", rows)
    prices = [("all", "", 92), ("consultant", "consultant", 118), ("senior", "senior", 155.5)]
    rows = [
        (f"{n}-{currency}", COMPANY, currency, r, round(p * factor, 2), FIRST, "")
        for n, r, p in prices
        for currency, factor in (("EUR", 1), ("GBP", 0.86), ("USD", 1.1))
    ]
    write(folder / "hour_prices.csv", "number,company,currency,role,price,from,until", rows)
    quoted = [("GBP", 0.8612), ("USD", 1.0874)]  # for a euro
    rates = []
    for i, (first, last) in enumerate(months()):
        for currency, quote in quoted:
            name, worth, days = f"{currency}-{first:%Y-%m}", f"{quote + 0.0011 * (i % 5):.4f}", (first, last)
            rates.append((name, currency, "EUR", 1, worth, *days))
            rates.append((f"EUR-{name}", "EUR", currency, worth, 1, *days))
    write(folder / "exchange_rates.csv", "number,currency,into,rate,per,from,until", rates)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
