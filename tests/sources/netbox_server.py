"""What NetBox's documentation says of its REST API, as far as allocations are read from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.sources.serving import Answer, Asked

TOKEN = "0123456789abcdef0123456789abcdef01234567"
Row = dict[str, Any]


@dataclass
class NetBox:
    """Objects by endpoint below /api/ipam/, pages of at most `most`, and what goes wrong.

    `deleted_after` deletes an object (endpoint, id) after the first page of that endpoint was sent.
    """

    objects: dict[str, list[Row]] = field(
        default_factory=lambda: {"prefixes": [], "ip-addresses": [], "ip-ranges": [], "vrfs": []}
    )
    most: int = 1000
    forbidden: str = ""
    broken: str = ""
    ignores_filters: bool = False
    deleted_after: tuple[str, int] | None = None
    asked: list[str] = field(default_factory=list)

    def add(self, endpoint: str, tenant: str | None = None, vrf: Row | None = None, **values: Any) -> int:
        """Add an object, active and in the global table unless told otherwise; return its number."""
        number = 1 + sum(map(len, self.objects.values()))
        row = {
            "id": number,
            "url": f"http://netbox/api/ipam/{endpoint}/{number}/",
            "family": {"value": 4, "label": "IPv4"},
            "tenant": tenant and {"id": 1, "url": "http://netbox/api/tenancy/tenants/1/", "name": "T", "slug": tenant},
            "vrf": vrf and {"id": vrf["id"], "url": "http://netbox/api/ipam/vrfs/1/", "name": vrf["name"]},
            "status": {"value": values.pop("status", "active"), "label": "A"},
            "tags": [],
            "custom_fields": {},
        }
        self.objects[endpoint].append(row | values)
        return number

    def add_vrf(self, name: str, rd: str | None = None) -> Row:
        """Add a VRF, and return it."""
        row = {"id": 1 + sum(map(len, self.objects.values())), "name": name, "rd": rd, "custom_fields": {}}
        self.objects["vrfs"].append(row)
        return row

    def __call__(self, asked: Asked) -> Answer:
        """Answer a request."""
        self.asked.append(asked.path)
        if asked.headers.get("authorization") != f"Token {TOKEN}":
            return Answer({"detail": "Invalid token"}, 403)
        if asked.path == self.forbidden:
            return Answer({"detail": "You do not have permission to perform this action."}, 403)
        if asked.path == self.broken:
            return Answer({"error": "server error", "exception": "OperationalError"}, 500)
        if asked.path == "/api/status/":
            return Answer({"django-version": "5.2", "netbox-version": "4.4.2", "plugins": {}})
        endpoint = asked.path.removeprefix("/api/ipam/").rstrip("/")
        if endpoint not in self.objects:
            return Answer(b"<h1>Page Not Found</h1>", 404)
        answer = self._page(endpoint, asked)
        if self.deleted_after and self.deleted_after[0] == endpoint:
            gone, self.deleted_after = self.deleted_after[1], None
            self.objects[endpoint] = [row for row in self.objects[endpoint] if row["id"] != gone]
        return answer

    def _page(self, endpoint: str, asked: Asked) -> Answer:
        told = {name: values[0] for name, values in asked.parameters.items()}
        limit, offset = min(int(told.get("limit", 50)), self.most), int(told.get("offset", 0))
        rows = list(self.objects[endpoint] if self.ignores_filters else self._filtered(endpoint, told))
        page = rows[offset : offset + limit]
        following = None
        if offset + limit < len(rows):
            following = f"http://netbox{asked.path}?{urlencode(told | {'limit': limit, 'offset': offset + limit})}"
        return Answer({"count": len(rows), "next": following, "previous": None, "results": page})

    def _filtered(self, endpoint: str, told: dict[str, str]) -> Iterator[Row]:
        assert told.get("ordering") == "id"
        for row in sorted(self.objects[endpoint], key=lambda row: int(row["id"])):
            vrf = row["vrf"]["id"] if row.get("vrf") else "null"
            if row["id"] > int(told.get("id__gt", 0)) and told.get("vrf_id", str(vrf)) == str(vrf):
                yield row
