"""Reckoning with days: months and weeks, and the working days of a calendar. No I/O, and no clock."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from .errors import OutOfRange
from .frozen import frozen

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# A year without a working day is a mistake in what was declared closed.
MOST_CLOSED = 366


@frozen
class WorkingDays:
    """Days of the week on which work is done, from Monday as 0, and days that are closed all the same."""

    week: frozenset[int]
    closed: frozenset[date]

    def __contains__(self, day: date) -> bool:
        return day.weekday() in self.week and day not in self.closed


def week_start(day: date, first: date) -> date:
    """The first day of the week, where weeks begin every seven days from `first` on, and before it."""
    return add_days(day, -(days_between(first, day) % 7))


def month_start(day: date) -> date:
    """The first day of the month."""
    return day.replace(day=1)


def month_end(day: date) -> date:
    """The last day of the month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def quarter_start(day: date) -> date:
    """The first day of the quarter of the calendar year."""
    return day.replace(month=day.month - (day.month - 1) % 3, day=1)


def add_days(day: date, days: int) -> date:
    """That many days later; raises OutOfRange beyond the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise OutOfRange(f"{day} and {days} days is out of the calendar") from None


def add_months(day: date, months: int) -> date:
    """That many months later, at most the month's last day; raises OutOfRange beyond the calendar."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        raise OutOfRange(f"{day} and {months} months is out of the calendar")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def days_between(first: date, second: date) -> int:
    """How many days later the second is."""
    return (second - first).days


def is_workday(day: date, days: WorkingDays) -> bool:
    """Whether it is a working day."""
    return day in days


def workday(day: date, days: WorkingDays, direction: str) -> date:
    """The day itself where it is a working day, else the `next` or `previous` one; raises OutOfRange."""
    step = 1 if direction == "next" else -1
    found = day
    for _ in range(MOST_CLOSED):
        if found in days:
            return found
        found = add_days(found, step)
    raise OutOfRange(f"{direction} to {day} there is no working day within a year")


def add_workdays(day: date, count: int, days: WorkingDays) -> date:
    """That many working days later, or earlier where it is below zero; raises OutOfRange."""
    step, direction = (1, "next") if count > 0 else (-1, "previous")
    for _ in range(abs(count)):
        day = workday(add_days(day, step), days, direction)
    return day


def workdays_between(first: date, second: date, days: WorkingDays) -> int:
    """How many working days come after the first, up to the second; below zero where the second is earlier."""
    if second < first:
        return -workdays_between(second, first, days)
    weeks, rest = divmod(days_between(first, second), 7)
    counted = weeks * len(days.week) + sum(add_days(second, -n).weekday() in days.week for n in range(rest))
    return counted - sum(first < day <= second and day.weekday() in days.week for day in days.closed)
