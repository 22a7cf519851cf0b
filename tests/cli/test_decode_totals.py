"""`flowkeep decode --stats`: what the blocks of an input tell, added up."""

from __future__ import annotations

from collections import Counter

from cli.decode_totals import Totals
from decoders import Datagrams, Decoded
from decoders.block import Name, Naming, Octets, SequenceNews
from decoders.faults import Fault
from schema.addresses import V4_MAPPED
from schema.batch import Flows

ROUTER, SWITCH = V4_MAPPED + bytes((192, 0, 2, 1)), bytes.fromhex("20010db8000000000000000000000001")


def news(exporter: bytes, domain: int, gaps: int, shared: bool = False) -> SequenceNews:
    return SequenceNews(exporter, 9, domain, gaps * 10, gaps, 1, 2, 3, shared)


def test_blocks_add_up_and_the_numbering_is_told_by_stream() -> None:
    totals = Totals()
    totals.received(Datagrams.of([b"12345", b"678"], ROUTER, 0))
    totals.received(Datagrams.of([], ROUTER, 0))
    name = Name(ROUTER, 0, Naming.INTERFACE, 1, "xe-0/0/0", "", 0)
    totals.add(
        Decoded(
            Flows(5),
            datagrams=2,
            templates=1,
            faults=Counter({Fault.TOO_SHORT: 1}),
            octets=Counter({Octets.FLOWS: 5, Octets.FAULTY: 3}),
            sequence=[news(ROUTER, 1, 2), news(SWITCH, 1, 1), news(ROUTER, 2, 0)],
            names=[name, name],
        )
    )
    totals.add(Decoded(Flows(1), octets=Counter({Octets.FLOWS: 1}), sequence=[news(ROUTER, 1, 4, shared=True)]))
    assert totals.shown() == {
        "datagrams": 2,
        "flows": 6,
        "templates": 1,
        "option_records": 0,
        "counter_samples": 0,
        "names": 2,
        "sequence_gaps": 7,
        "octets": {
            "received": 8, "headers": 0, "templates": 0, "flows": 6, "options": 0, "counters": 0, "padding": 0,
            "waiting": 0, "faulty": 3,
        },
        "sequence": [
            {"exporter": "192.0.2.1", "version": 9, "domain": 1, "lost": 60, "gaps": 6, "reordered": 2,
             "duplicates": 4, "resets": 6, "shared": True},
            {"exporter": "2001:db8::1", "version": 9, "domain": 1, "lost": 10, "gaps": 1, "reordered": 1,
             "duplicates": 2, "resets": 3, "shared": False},
            {"exporter": "192.0.2.1", "version": 9, "domain": 2, "lost": 0, "gaps": 0, "reordered": 1,
             "duplicates": 2, "resets": 3, "shared": False},
        ],
        "faults": {"too_short": 1},
        "discards": 0,
        "counter_rows": {},
        "passed_over": {},
        "agent_drops": {},
    }  # fmt: skip


def test_nothing_decoded_is_all_zero() -> None:
    totals = Totals()
    totals.add(Decoded(Flows(0)))
    shown = totals.shown()
    assert set(shown.pop("octets").values()) == {0}
    assert shown.pop("sequence") == []
    assert [shown.pop(kind) for kind in ("faults", "counter_rows", "passed_over", "agent_drops")] == [{}] * 4
    assert set(shown.values()) == {0}
