"""Draws a statement as a picture: SVG with bars and lines over its lines, written by hand so that it stays readable.

Every bar and point carries its figure, line and exact value, for those who read the picture by other means than eyes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from xml.sax.saxutils import escape, quoteattr

from .money import EXACT, ZERO, rounded, shown
from .statement_definitions import Picture
from .statement_reports import Block, Cell, Report

WIDTH, HEIGHT = 960, 440
LEFT, RIGHT, TOP, BOTTOM = 110, 24, 84, 84
MOST_STEPS = 6  # on the axis of values
MOST_LABELS = 26  # under the other one; of more only every second, third … is written
SLANTED_FROM = 10
# Told apart by those who see colors otherwise, too; after Okabe and Ito.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("", "8 4", "2 3", "10 3 2 3")


@dataclass(frozen=True, slots=True)
class Series:
    """A figure over the lines of a table."""

    name: str
    title: str
    values: tuple[Decimal | None, ...]
    color: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand, from the lowest to the highest step."""

    low: Decimal
    high: Decimal
    step: Decimal

    def y(self, value: Decimal) -> Decimal:
        return TOP + EXACT.divide((self.high - value) * (HEIGHT - TOP - BOTTOM), self.high - self.low)

    def steps(self) -> Iterator[Decimal]:
        value = self.low
        while value <= self.high:
            yield value
            value += self.step


def drawn_as_svg(drawn: Report, how: Picture, figures_are_rows: bool) -> str:
    """The picture of a statement; its tables stand one beneath the other."""
    blocks = drawn.blocks
    whole = max(len(blocks), 1) * HEIGHT
    said = f"{drawn.title}: {', '.join(f'{n} {text}' for n, text in drawn.given)}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" '
        f'viewBox="0 0 {WIDTH} {whole}" width="{WIDTH}" height="{whole}" font-family="sans-serif" font-size="12">',
        f'<title id="title">{escape(said)}</title>',
        f'<desc id="desc">{escape(drawn.doc)}</desc>',
        f'<rect width="{WIDTH}" height="{whole}" fill="#ffffff"/>',
    ]
    for index, block in enumerate(blocks):
        lines.append(f'<g transform="translate(0 {index * HEIGHT})">')
        lines += _panel(drawn, block, how, figures_are_rows, said)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


# --- one table -------------------------------------------------------------------------------------------------------


def _panel(drawn: Report, block: Block, how: Picture, figures_are_rows: bool, said: str) -> Iterator[str]:
    labels, figures = _figures(drawn, block, figures_are_rows)
    wanted = [name for name in (*how.bars, *how.lines) if name in figures]
    made = {n: Series(n, *figures[n], COLORS[i % len(COLORS)]) for i, n in enumerate(wanted)}
    scale = _scale(value for each in made.values() for value in each.values if value is not None)
    heading = " ".join(filter(None, (drawn.per, block.heading)))
    yield _text(LEFT, 24, heading or said, "start", 'font-size="16" font-weight="bold"')
    if heading:
        yield _text(LEFT, 42, said, "start")
    yield from _legend(made, how)
    yield from _values_axis(scale, block)
    bars = [made[n] for n in how.bars if n in made]
    for number, each in enumerate(bars):
        yield from _bars(each, number, len(bars), labels, scale, block)
    yield _line(LEFT, scale.y(ZERO), WIDTH - RIGHT, scale.y(ZERO), "#222222")
    for number, name in enumerate(n for n in how.lines if n in made):
        yield from _curve(made[name], DASHES[number % len(DASHES)], labels, scale, block)
    yield from _labels(labels)
    if not figures_are_rows:
        yield _text((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 10, " ".join(drawn.labels), "middle", 'font-weight="bold"')


def _figures(
    drawn: Report, block: Block, figures_are_rows: bool
) -> tuple[list[str], Mapping[str, tuple[str, tuple[Decimal | None, ...]]]]:
    """The lines of a table by what they are called, and of each figure its title and its value for each line."""
    if figures_are_rows:
        places = [i for i, column in enumerate(drawn.columns) if column.name != "total"]
        labels = [drawn.columns[i].title for i in places]
        return labels, {r.key: (" ".join(r.label), tuple(_number(r.values[i]) for i in places)) for r in block.rows}
    labels = [" ".join(row.label) for row in block.rows]
    return labels, {
        column.name: (column.title, tuple(_number(row.values[i]) for row in block.rows))
        for i, column in enumerate(drawn.columns)
    }


def _number(value: Cell) -> Decimal | None:
    return None if value is None or isinstance(value, str) else Decimal(value)


def _scale(values: Iterator[Decimal]) -> Scale:
    """From nothing to the furthest value on both sides, in steps of 1, 2 or 5 and as many noughts as it takes."""
    known = [ZERO, *values]
    low, high = min(known), max(known)
    if low == high:
        high = Decimal(1)
    step = _step(EXACT.divide(high - low, Decimal(MOST_STEPS)))
    first = EXACT.divide(low, step).to_integral_value(ROUND_FLOOR) * step
    last = EXACT.divide(high, step).to_integral_value(ROUND_CEILING) * step
    return Scale(first, last, step)


def _step(least: Decimal) -> Decimal:
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


# --- what is drawn ---------------------------------------------------------------------------------------------------


def _legend(made: Mapping[str, Series], how: Picture) -> Iterator[str]:
    x = LEFT
    for each in made.values():
        dash = DASHES[how.lines.index(each.name) % len(DASHES)] if each.name in how.lines else ""
        if each.name in how.lines:
            yield _line(x, 60, x + 18, 60, each.color, f'stroke-width="3" stroke-dasharray="{dash}"')
        else:
            yield f'<rect x="{x}" y="54" width="18" height="12" fill="{each.color}"/>'
        yield _text(x + 24, 64, each.title, "start")
        x += 24 + 7 * len(each.title) + 24


def _values_axis(scale: Scale, block: Block) -> Iterator[str]:
    for value in scale.steps():
        y = scale.y(value)
        yield _line(LEFT, y, WIDTH - RIGHT, y, "#dddddd")
        yield _text(LEFT - 8, y + 4, _grouped(value), "end")
    if block.currency:
        yield _text(LEFT - 8, TOP - 12, block.currency, "end", 'font-weight="bold"')


def _bars(each: Series, number: int, of: int, labels: Sequence[str], scale: Scale, block: Block) -> Iterator[str]:
    place = _place(len(labels))
    width = EXACT.divide(place * 8, Decimal(10 * of))
    for index, value in enumerate(each.values):
        if value is None:
            continue
        x = LEFT + place * index + place / 10 + width * number
        top, foot = sorted((scale.y(value), scale.y(ZERO)))
        yield (
            f'<rect x="{_at(x)}" y="{_at(top)}" width="{_at(width)}" height="{_at(foot - top)}" fill="{each.color}" '
            f"{_data(each, labels[index], value)}>{_tip(each, labels[index], value, block)}</rect>"
        )


def _curve(each: Series, dash: str, labels: Sequence[str], scale: Scale, block: Block) -> Iterator[str]:
    place = _place(len(labels))
    known = [(i, value) for i, value in enumerate(each.values) if value is not None]
    points = [(LEFT + place * i + place / 2, scale.y(value), labels[i], value) for i, value in known]
    path = " ".join(f"{_at(x)},{_at(y)}" for x, y, _, _ in points)
    yield f'<polyline points="{path}" fill="none" stroke="{each.color}" stroke-width="2.5" stroke-dasharray="{dash}"/>'
    for x, y, label, value in points:
        yield (
            f'<circle cx="{_at(x)}" cy="{_at(y)}" r="4" fill="{each.color}" stroke="#ffffff" '
            f"{_data(each, label, value)}>{_tip(each, label, value, block)}</circle>"
        )


def _labels(labels: Sequence[str]) -> Iterator[str]:
    place, every = _place(len(labels)), -(-len(labels) // MOST_LABELS) or 1
    y = HEIGHT - BOTTOM + 18
    for index in range(0, len(labels), every):
        x = LEFT + place * index + place / 2
        if len(labels) < SLANTED_FROM:
            yield _text(x, y, labels[index], "middle")
        else:
            yield _text(x, y, labels[index], "end", f'transform="rotate(-40 {_at(x)} {_at(Decimal(y))})"')


def _place(count: int) -> Decimal:
    """How much room a line of the table has."""
    return EXACT.divide(Decimal(WIDTH - LEFT - RIGHT), Decimal(max(count, 1)))


# --- elements --------------------------------------------------------------------------------------------------------


def _text(x: Decimal | int, y: Decimal | int, text: str, anchor: str, more: str = "") -> str:
    more = f" {more}" if more else ""
    return f'<text x="{_at(Decimal(x))}" y="{_at(Decimal(y))}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _line(
    x: Decimal | int, y: Decimal | int, to_x: Decimal | int, to_y: Decimal | int, color: str, more: str = ""
) -> str:
    ends = f'x1="{_at(Decimal(x))}" y1="{_at(Decimal(y))}" x2="{_at(Decimal(to_x))}" y2="{_at(Decimal(to_y))}"'
    return f'<line {ends} stroke="{color}"{f" {more}" if more else ""}/>'


def _data(each: Series, label: str, value: Decimal) -> str:
    return f"data-figure={quoteattr(each.name)} data-line={quoteattr(label)} data-value={quoteattr(shown(value))}"


def _tip(each: Series, label: str, value: Decimal, block: Block) -> str:
    unit = f" {block.currency}" if block.currency else ""
    return f"<title>{escape(f'{label}, {each.title}: {_grouped(value)}{unit}')}</title>"


def _grouped(value: Decimal) -> str:
    return f"{Decimal(shown(value)):,f}"


def _at(place: Decimal) -> str:
    """A place in the picture, to a tenth of a unit."""
    return shown(rounded(place, 1))
