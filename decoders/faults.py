"""The reasons for which octets that arrived gave no flow: a closed list, so that metrics stay bounded."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """A reason; `unit` says what one count of it is."""

    EXPORTER_NOT_ALLOWED = "exporter_not_allowed"
    JOURNAL_FULL = "journal_full"
    TOO_SHORT = "too_short"
    UNKNOWN_VERSION = "unknown_version"
    OLD_SFLOW = "old_sflow"
    BAD_COUNT = "bad_count"
    BAD_LENGTH = "bad_length"
    TRAILING_OCTETS = "trailing_octets"
    SET_LENGTH = "set_length"
    SET_TOO_SHORT = "set_too_short"
    SET_RESERVED = "set_reserved"
    TEMPLATE_MISSING = "template_missing"
    TEMPLATE_MALFORMED = "template_malformed"
    TEMPLATE_EMPTY = "template_empty"
    TEMPLATE_LIMIT = "template_limit"
    TEMPLATE_CONFLICT = "template_conflict"
    WORK_LIMIT = "work_limit"
    SESSION_BROKEN = "session_broken"
    RECORD_LENGTH = "record_length"
    SAMPLE_LENGTH = "sample_length"
    SAMPLE_UNKNOWN = "sample_unknown"
    SAMPLE_WITHOUT_PACKET = "sample_without_packet"

    @property
    def unit(self) -> str:
        """What one count stands for: datagram, message, set, template, record or sample."""
        return DOCS[self][0]

    @property
    def doc(self) -> str:
        """The reason in a sentence."""
        return DOCS[self][1]


DOCS: dict[Fault, tuple[str, str]] = {
    Fault.EXPORTER_NOT_ALLOWED: ("datagram", "the sender is in no prefix of `exporters`"),
    Fault.JOURNAL_FULL: ("datagram", "the journal had reached its bound or its disk was full"),
    Fault.TOO_SHORT: ("datagram", "shorter than its protocol's header"),
    Fault.UNKNOWN_VERSION: ("datagram", "neither NetFlow v5 or v9, nor IPFIX, nor sFlow v5"),
    Fault.OLD_SFLOW: ("datagram", "sFlow version 2 or 4, which is not decoded: set the agent to version 5"),
    Fault.BAD_COUNT: ("datagram", "a NetFlow v5 record count of 0, or of more records than the datagram holds"),
    Fault.BAD_LENGTH: ("datagram", "an IPFIX length below its header or past the datagram's end, or an sFlow address "
                       "of no known type"),
    Fault.TRAILING_OCTETS: ("message", "octets after a whole message that begin no other message"),
    Fault.SET_LENGTH: ("set", "a set length below 4 or past the message's end; the sets before it are kept"),
    Fault.SET_TOO_SHORT: ("set", "a data set with no room for one record of its template"),
    Fault.SET_RESERVED: ("set", "a set id that is reserved (below 256 and no template set)"),
    Fault.TEMPLATE_MISSING: ("set", "a data set whose template did not come in time, or that had no room"),
    Fault.TEMPLATE_MALFORMED: ("set", "a template set that ends inside a template, or an id below 256"),
    Fault.TEMPLATE_EMPTY: ("set", "a data set whose template has records of no length"),
    Fault.TEMPLATE_LIMIT: ("template", "forgotten, as the one used longest ago, since there are more templates or "
                           "fields than `decoders.limits` keeps"),
    Fault.TEMPLATE_CONFLICT: ("template", "over TCP, another definition for a template that was not withdrawn"),
    Fault.WORK_LIMIT: ("set", "a data set beyond the number of different templates that one datagram may use"),
    Fault.SESSION_BROKEN: ("datagram", "an IPFIX message of a TCP session that broke the rules and is being closed"),
    Fault.RECORD_LENGTH: ("set", "a variable-length field that runs past the end of its set; the records before it "
                          "are kept"),
    Fault.SAMPLE_LENGTH: ("sample", "an sFlow sample or record that runs past the end of what holds it, or that is "
                          "too short for its structure"),
    Fault.SAMPLE_UNKNOWN: ("sample", "an sFlow sample of a type that is not decoded"),
    Fault.SAMPLE_WITHOUT_PACKET: ("sample", "an sFlow flow sample without a record of a packet"),
}  # fmt: skip
