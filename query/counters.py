"""What counters counted between one sample and the next, as SQL: differences that hold over wraps and restarts. Pure.

A step leads from a sample of a source to the one after it, in order of reception; copies of a sample are one. What a
step counted is unknown (NULL) rather than guessed: see `steps`. A rate is the sum of what is known over its time.
"""

from __future__ import annotations

from collections.abc import Sequence

from schema.tables import StoredTable

SOURCE = ("exporter", "observation_domain", "source_class", "source_index")
"""The columns that tell whose counters they are."""

DRIFT_MS, DRIFT_PARTS = 10_000, 10
"""By how much uptime and time received may advance differently while an agent runs on: 10 s and a tenth of the step."""
LATE_MS = 300_000
"""How old a sample may be that comes late: with a lower number and an older uptime it is no restart."""
_WORD = 2**32 - 1
_HEAD = ("time_received", "sequence", "uptime")
_SPEED = "if_speed"


def totals(table: StoredTable, counters: Sequence[str], where: str) -> str:
    """Return the query for what each source counted: SOURCE, then of each counter its total and the ms it spans.

    Both are sums over the steps of which it is known what they counted; without one the total is NULL, the time 0.
    """
    sums = ", ".join(f"sum({name}), sumIf(milliseconds, {name} IS NOT NULL)" for name in counters)
    return "\n".join(
        (
            f"SELECT {', '.join(SOURCE)}, {sums}",
            f"FROM ({steps(table, counters, where)})",
            f"GROUP BY {', '.join(SOURCE)}",
        )
    )


def steps(table: StoredTable, counters: Sequence[str], where: str) -> str:
    """Return the query for the steps between the samples that meet `where`.

    Its columns are SOURCE, began, ended (DateTime64), milliseconds and `counters`.

    Each of `counters`, cumulative columns of the table, has what was counted after `began` up to `ended`. It is NULL

    - where a sample does not have the counter;
    - where the sample's number does not come after the number before, modulo 2**32: counters that an agent resets are
      numbered anew (sFlow version 5, counters_sample); and where the number before came late itself, for what lies
      between was counted already;
    - where uptime (unless untold, 0 both times) did not advance with the time received: the agent began anew;
    - where any counter of 64 bits fell, which none does in centuries: it was reset, and the others with it. But agents
      that fill 32 bits of 64 wrap: both values are below 2**32, and the interface is fast enough for the difference.

    Counters of 32 bits wrap. Samples are sorted as arrays, one a source: in the time that a window function takes, and
    in half the memory. Five million samples with their copies taken out by LIMIT BY did not fit into a query's memory.
    """
    source = ", ".join(SOURCE)
    speed = _SPEED if _SPEED in table.by_name else "toUInt64(0)"
    sample = ", ".join((*_HEAD, speed, *counters))
    wide = [name for name in counters if "UInt64" in table.by_name[name].clickhouse]
    identity = (2, 3, *(5 + counters.index(name) for name in wide))
    differences = [_difference(name, 5 + place, name in wide) for place, name in enumerate(counters)]
    known = ", ".join(f"if(valid AND NOT reset, {name}_, NULL) AS {name}" for name in counters)
    return "\n".join(
        (
            f"SELECT {source}, began, ended, milliseconds, {known}",
            f"FROM (SELECT {source}, step.1 AS a, step.2 AS b, a.1 AS began, b.1 AS ended,",
            "toUnixTimestamp64Milli(ended) - toUnixTimestamp64Milli(began) AS milliseconds,",
            f"coalesce(b.4, a.4, 0) / 8000 * (milliseconds * 1.1 + 1000) AS capacity, {', '.join(differences)},",
            f"{_reset(wide, counters)} AS reset,",
            f"milliseconds > 0 AND {_AFTER} AND {_RUNS_ON} AND NOT step.3 AS valid",
            f"FROM (SELECT {source}, arrayPopBack(samples) AS befores, arrayPopFront(samples) AS afters,",
            f"arrayMap((a, b) -> NOT {_AFTER} AND {_modulo('a.3 - b.3')} <= {LATE_MS}, befores, afters) AS late,",
            "arrayJoin(arrayZip(befores, afters, arraySlice(arrayPushFront(late, 0), 1, length(late)))) AS step",
            f"FROM (SELECT {source},",
            f"arrayFilter((sample, before, turn) -> turn = 1 OR (sample.3 = 0 AND NOT {_same(identity)}), received,",
            f"arrayPushFront(arrayPopBack(received), received[1]), arrayEnumerateUniq({_each(identity)})) AS samples",
            f"FROM (SELECT {source}, arraySort(groupArray(({sample}))) AS received",
            f"FROM {table.name} WHERE {where} GROUP BY {source}))))",
        )
    )


def _each(identity: Sequence[int]) -> str:
    return ", ".join(f"received.{place}" for place in identity)


def _same(identity: Sequence[int]) -> str:
    """Return whether a sample is a copy of the one right before it.

    Any other copy of an agent that tells no uptime may be a sample after a restart, numbered anew.
    """
    return f"({' AND '.join(f'ifNull(sample.{place} = before.{place}, 1)' for place in identity)})"


def _modulo(difference: str) -> str:
    return f"bitAnd({difference}, {_WORD})"


_AFTER = f"({_modulo('b.2 - a.2')} BETWEEN 1 AND {2**31 - 1})"
_DRIFT = f"{_modulo(f'b.3 - a.3 - milliseconds + {2**31}')} - {2**31}"
_RUNS_ON = f"(a.3 = 0 AND b.3 = 0 OR {DRIFT_PARTS} * abs({_DRIFT}) <= {DRIFT_PARTS * DRIFT_MS} + milliseconds)"


def _difference(name: str, place: int, wide: bool) -> str:
    """Return what the counter at `place` of the samples a and b counted between them; NULL where that is unknown."""
    a, b = f"a.{place}", f"b.{place}"
    if not wide:
        return f"{_modulo(f'{b} - {a}')} AS {name}_"
    wrapped = f"toUInt64({b} + {_WORD + 1} - {a})"
    wraps = f"{a} <= {_WORD} AND {wrapped} <= capacity"
    return f"multiIf({b} >= {a}, toUInt64({b} - {a}), {wraps}, {wrapped}, NULL) AS {name}_"


def _reset(wide: Sequence[str], counters: Sequence[str]) -> str:
    """Return whether a counter of 64 bits fell for no reason but a reset."""
    places = {name: 5 + counters.index(name) for name in wide}
    fell = [f"{name}_ IS NULL AND a.{place} IS NOT NULL AND b.{place} IS NOT NULL" for name, place in places.items()]
    return f"({' OR '.join(fell) or '0'})"
