"""One honest sample of each form that reports come in; addresses are from the documentation ranges."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from intake.read import read
from intake.report import Message, When

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, millisecond: int = 0) -> datetime:
    """Return a moment of November 2026."""
    return datetime(2026, 11, day, hour, minute, second, millisecond * 1000, tzinfo=UTC)


def known(instant: datetime, text: str) -> When:
    """Return an instant that is known."""
    return When(instant, instant, text)


def unsure(local: datetime, text: str, length: timedelta = timedelta(0)) -> When:
    """Return a time without a zone: from UTC+14 to UTC-12."""
    earliest, latest = local - timedelta(hours=14), local + timedelta(hours=12) + length
    return When(earliest, latest, text, local.replace(tzinfo=None))


def read_text(text: str, name: str = "report.txt") -> Message:
    """Read a text file."""
    return read(text.encode(), name, NOW)


XARF4: dict[str, Any] = {
    "xarf_version": "4.2.0",
    "report_id": "9ac39cd1-85f3-4c31-ae87-a0a95f3ebc83",
    "timestamp": "2026-11-20T09:21:23Z",
    "reporter": {"org": "DDoS Watch", "contact": "ddos@watch.example", "domain": "watch.example"},
    "sender": {"org": "Relay", "contact": "relay@relay.example", "domain": "relay.example"},
    "source_identifier": "192.0.2.155",
    "source_port": 40001,
    "category": "connection",
    "type": "ddos",
    "destination_ip": "203.0.113.100",
    "destination_port": 80,
    "protocol": "tcp",
    "attack_vector": "syn_flood",
    "peak_pps": 250000,
    "packet_count": 11250000,
    "byte_count": 3240000000,
    "first_seen": "2026-11-20T08:45:00Z",
    "last_seen": "2026-11-20T09:30:00.250Z",
    "evidence": [{"content_type": "text/plain", "payload": "MTk4LjUxLjEwMC45OSAyMDI2LTExLTIwVDAwOjAwOjAwWg=="}],
    "description": "SYN flood of 45 minutes",
    "_internal": {"ticket": "secret"},
}
XARF3: dict[str, Any] = {
    "Version": "3",
    "ReporterInfo": {
        "ReporterOrg": "ExampleOrg",
        "ReporterOrgDomain": "example.com",
        "ReporterOrgEmail": "reports@example.com",
    },
    "Disclosure": True,
    "Report": {
        "ReportClass": "Activity",
        "ReportType": "PortScan",
        "ReporterCaseID": "case-7",
        "Date": "2026-11-20T14:17:10Z",
        "FirstSeen": "2026-11-20T14:10:00+00:00",
        "SourceIp": "192.0.2.55",
        "SourcePort": 54321,
        "DestinationIp": "198.51.100.33",
        "DestinationPort": [80],
        "TransportProtocol": "tcp",
        "ByteCount": 20000,
        "PacketCount": 100,
        "Samples": [{"ContentType": "text/plain", "Base64Encoded": False, "Payload": "from 198.51.100.99"}],
    },
}
ARF = b"""From: FBL <fbl@mailbox.example>
Date: Fri, 20 Nov 2026 18:36:00 +0000
Subject: complaint about message from 192.0.2.1
To: abuse@isp.example
Message-ID: <fbl-1@mailbox.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part_x"

--part_x
Content-Type: text/plain; charset="US-ASCII"

This is a report about a mail from 198.51.100.99 of 2026-11-20 01:00:00 UTC.
--part_x
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Source-IP: 192.0.2.1
Source-Port: 25123
Arrival-Date: Fri, 20 Nov 2026 14:00:00 +0100
Reported-Domain: example.net

--part_x
Content-Type: message/rfc822

Received: from mailserver.example.net (mailserver.example.net [198.51.100.77])
    by example.com with ESMTP id M63d4137594e46;
    Fri, 20 Nov 2026 13:59:58 +0100
From: <somespammer@example.net>
Subject: Earn money

Spam Spam Spam from 198.51.100.98 at 2026-11-20 02:00:00 UTC
--part_x--
"""
SHADOWSERVER = (
    '"timestamp","severity","protocol","src_ip","src_port","src_asn","src_geo","dst_ip","dst_port","infection","tag",'
    '"event_id"\n'
    '"2026-11-20 00:00:02","high","tcp","192.0.2.7",4717,64500,"ZZ","198.51.100.9",23,"mirai","mirai;iot","e-1"\n'
    '"2026-11-20 00:00:03","high","udp","2001:db8::7",53,64500,"ZZ",,5555,"mirai",,\n'
)
CSV = (
    "ip,port,target,dst_port,time,proto,type,packets,bytes\n"
    "192.0.2.7,51000,198.51.100.1,22,2026-11-20T14:03:11+01:00,tcp,ssh brute force,12,3400\n"
    "192.0.2.8,,,,2026-11-20 14:04:00,udp,port scan,,\n"
)
FAIL2BAN = b"""From: fail2ban <fail2ban@mail.example.net>
To: abuse@isp.example
Subject: [Fail2Ban] sshd: banned 192.0.2.7 from mail
Date: Fri, 20 Nov 2026 14:05:00 +0100
Message-ID: <20261120.abc@mail.example.net>

Hi,

The IP 192.0.2.7 has just been banned by Fail2Ban after
3 attempts against sshd.

Here is more information about 192.0.2.7 :

inetnum:        192.0.2.0 - 192.0.2.255
created:        2005-01-01T00:00:00Z
last-modified:  2026-01-01T00:00:00Z

Lines containing IP:192.0.2.7 in /var/log/auth.log

Nov 20 14:03:11 mail sshd[1]: Failed password for root from 192.0.2.7 port 51000 ssh2
Nov 20 14:03:15 mail sshd[1]: Failed password for root from 192.0.2.7 port 51002 ssh2
Nov 20 14:04:01 mail sshd[1]: Failed password for root from 192.0.2.7 port 51004 ssh2

Regards,
Fail2Ban
"""
FORM = """Hello,
we saw this and ask you to act:

Source IP: 192[.]0[.]2[.]7
Source port: 51000
Destination IP: 198.51.100.1
Destination port: 22
Protocol: TCP
Time: 20.11.2026 14:03

All times are UTC+1.
"""


def mailed(*attached: tuple[str, str, bytes], text: str = "See the attachment.") -> bytes:
    """Return a mail with attachments of name, type and octets."""
    mail = EmailMessage()
    mail["From"] = "Jörg Müller <desk@cert.example>"
    mail["To"] = "abuse@isp.example"
    mail["Subject"] = "[CERT #20261120] Überlast von Ihren Adressen"
    mail["Date"] = "Fri, 20 Nov 2026 15:00:00 +0000"
    mail["Message-ID"] = "<m1@cert.example>"
    mail.set_content(text)
    for name, media, octets in attached:
        main, _, sub = media.partition("/")
        mail.add_attachment(octets, maintype=main, subtype=sub, filename=name)
    return bytes(mail)


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip archive of files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    return held.getvalue()


ALL = {
    "xarf4": json.dumps(XARF4).encode(),
    "xarf3": json.dumps([XARF3]).encode(),
    "arf": ARF,
    "shadowserver": SHADOWSERVER.encode(),
    "csv": CSV.encode(),
    "fail2ban": FAIL2BAN,
    "form": FORM.encode(),
    "mail": mailed(("xarf.json", "application/json", json.dumps(XARF4).encode())),
    "zip": mailed(("report.zip", "application/zip", zipped({"report.csv": CSV.encode()}))),
    "gzip": gzip.compress(CSV.encode(), mtime=0),
}
