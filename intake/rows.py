"""The rows of tables as claims: Shadowserver's, and any reporter's whose columns can be told."""

from __future__ import annotations

from datetime import UTC, tzinfo

from intake import addresses, kinds, protocols, shadowserver, table
from intake.errors import UnreadError
from intake.found import Found, Known
from intake.report import Address, Report, When
from intake.table import Layout, Row
from intake.text import printable
from intake.times import Calendar, span
from intake.zones import zone

_MOST_ZONES = 1_000


def read(text: str, layout: Layout, place: str, name: str, known: Known, found: Found) -> None:
    """Read every row of the table; `name` is that of its file."""
    if shadowserver.is_header(layout.names, known.reporter):
        kind = shadowserver.kind_of_report(name, known.subject)
        reader = _Reader(layout, known, "shadowserver", UTC, kind)
    else:
        reader = _Reader(
            layout, known, "csv", layout.columns.zone_of_times or known.zone, kinds.by_words(known.subject)
        )
    count = 0
    for row in table.rows(text, layout, known.limits):
        count += 1
        where = f"{place} line {row.line}".strip()
        if count > known.limits.rows:
            found.bound(f"{place}: only its first {known.limits.rows:,} rows are read: split the file")
            return
        try:
            report = reader.report(row)
        except UnreadError as fault:
            found.miss(where, str(fault), row.text)
            continue
        if not found.claim(report):
            return
    if not count:
        found.miss(place, "a table without rows")


class _Reader:
    """What all rows of a table are read by; a time that repeats is parsed once."""

    def __init__(self, layout: Layout, known: Known, form: str, zone: tzinfo | None, kind: str) -> None:
        self._columns, self._width, self._known = layout.columns, layout.width, known
        self._form, self._kind = form, kind
        self._reporter = shadowserver.REPORTER if form == "shadowserver" else known.reporter
        self._tags = [place for place, name in enumerate(layout.names) if name in ("infection", "tag")]
        self._calendars = {"": Calendar(known.now, zone, known.sent)}

    def report(self, row: Row) -> Report:
        """Return the claim of a row; an UnreadError says why there is none."""
        columns, limits, cells = self._columns, self._known.limits, row.cells
        if not cells:
            raise UnreadError(f"a row that cannot be read, or is longer than {limits.row:,} characters")
        if len(cells) > self._width and any(cells[self._width :]):
            raise UnreadError(f"{len(cells)} cells, where the first row has {self._width}")
        cells = cells + [""] * (self._width - len(cells))
        address, port = addresses.source(cells[columns.source][:200])
        target, target_port = _target(_cell(cells, columns.target))
        return Report(
            address=address,
            when=self._when(cells),
            form=self._form,
            port=addresses.port(_cell(cells, columns.source_port)) or port,
            target=target,
            target_port=addresses.port(_cell(cells, columns.target_port)) or target_port,
            protocol=protocols.number(_cell(cells, columns.protocol)),
            kind=self._kind_of(cells),
            packets=_count(_cell(cells, columns.packets)),
            octets=_count(_cell(cells, columns.octets)),
            reporter=self._reporter,
            reference=printable(_cell(cells, columns.reference), 200) or self._known.reference,
            excerpt=printable(row.text, limits.excerpt),
        )

    def _kind_of(self, cells: list[str]) -> str:
        if self._form == "shadowserver":
            return self._kind or shadowserver.kind_of_row(*(cells[place][:200] for place in self._tags))
        return kinds.by_words(_cell(cells, self._columns.kind)[:200]) or self._kind

    def _when(self, cells: list[str]) -> When:
        columns = self._columns
        calendar = self._calendar(_cell(cells, columns.zone))
        first, last = _cell(cells, columns.first), _cell(cells, columns.last)
        time, day = _cell(cells, columns.time), _cell(cells, columns.day)
        start = first or time or last
        if not start:
            raise UnreadError("no time")
        if not day or first:
            begin = calendar.when(start)
            return span(begin, calendar.when(last or time)) if last or (first and time) else begin
        try:
            begin = calendar.when(f"{day} {time}".strip())
        except UnreadError:
            begin = calendar.when(time or day)
        return span(begin, calendar.when(last)) if last else begin

    def _calendar(self, written: str) -> Calendar:
        """Return the calendar of rows with that zone; one that is not known makes their times unsure."""
        found = self._calendars.get(written)
        if found is None:
            plain = self._calendars[""]
            found = Calendar(plain.now, zone(written[:40]), plain.near)
            if len(self._calendars) < _MOST_ZONES:
                self._calendars[written] = found
        return found


def _cell(cells: list[str], place: int | None) -> str:
    return "" if place is None else cells[place]


def _target(cell: str) -> tuple[Address | None, int | None]:
    try:
        return addresses.endpoint(cell[:200]) if cell else (None, None)
    except UnreadError:
        return None, None


def _count(cell: str) -> int | None:
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) <= 18 else None
