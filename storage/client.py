"""The one door to ClickHouse, embedded or not: SQL and inserts over HTTP as one of our four users.

Nothing else imports clickhouse-connect. Its exceptions leave here as `UnreachableError` or `DatabaseRefusalError`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.external import ExternalData

from settings.config import Embedded, Server
from settings.errors import RefusalError, UnreachableError, UserError
from storage.node_files import NodeFiles
from storage.users import LOOPBACK, user_name

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 300
_PREFIX = re.compile(r"^.*?Code: \d+\. DB::\w*Exception: ", re.DOTALL)
_TRAILER = re.compile(r"\s*\(version \d.*$", re.DOTALL)
for _chatty in ("clickhouse_connect", "urllib3"):  # they log errors that they also raise
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)

# Rows to be summed come summed: to look for equal ones among them would cost more than all the rest.
_INSERT = {"async_insert": 0, "optimize_on_insert": 0}
# Skip indexes are made as parts are merged, as they would be again; the few newest rows are searched without.
_INSERT_WHERE_KNOWN = {"materialize_skip_indexes_on_insert": 0}

# What the rows themselves are to blame for: the same insert will never be taken. Everything else may pass, by itself or
# because somebody mends it (a full disk, a changed password, a table that is gone), and is no reason to lose flows.
_ROWS_AT_FAULT = {
    6: "CANNOT_PARSE_TEXT",
    10: "NOT_FOUND_COLUMN_IN_BLOCK",
    33: "CANNOT_READ_ALL_DATA",
    50: "UNKNOWN_TYPE",
    53: "TYPE_MISMATCH",
    70: "CANNOT_CONVERT_TYPE",
    117: "INCORRECT_DATA",
    131: "TOO_LARGE_STRING_SIZE",
    190: "SIZES_OF_ARRAYS_DONT_MATCH",
}


class DatabaseRefusalError(RefusalError):
    """ClickHouse said no; `code` is its error number (0 if it gave none)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def is_retryable(error: UserError) -> bool:
    """Say whether the same insert may succeed later, with its rows as they are."""
    if isinstance(error, DatabaseRefusalError):
        return error.code not in _ROWS_AT_FAULT
    return isinstance(error, UnreachableError)


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of an answer: addresses as IPv6Address (IPv4 ones mapped), times as aware datetimes in UTC."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Beside:
    """A table that goes along with one query: its name, its columns (`name Type, ...`) and its rows, tab-separated."""

    name: str
    structure: str
    rows: bytes


class Reading(NamedTuple):
    """How far a query has come: rows that it has read, and that it has to read by what ClickHouse knows so far."""

    rows: int
    of: int


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Where a client goes and as whom; `remedy` is what a person can do when nobody answers there."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def _named(query_id: str) -> dict[str, Any] | None:
    return {"query_id": query_id} if query_id else None


def _external(beside: Beside) -> ExternalData:
    return ExternalData(file_name=beside.name, fmt="TabSeparated", structure=beside.structure, data=beside.rows)


def connect(storage: Embedded | Server, data_dir: Path, role: str, patience: float = _ANSWER_SECONDS) -> Client:
    """Return a client in our database as `role` (one of `storage.users.ROLES`).

    An answer may take `patience` seconds. UnreachableError if nobody answers, DatabaseRefusalError if the password is
    refused.
    """
    return Client(_endpoint(storage, data_dir, role), storage.database, patience)


def _endpoint(storage: Embedded | Server, data_dir: Path, role: str) -> _Endpoint:
    if isinstance(storage, Server):
        url = urlsplit(storage.url)
        port = url.port or (8443 if url.scheme == "https" else 8123)
        password = str(getattr(storage.passwords, role))
        remedy = "check 'storage.url' in the configuration"
        return _Endpoint(url.scheme, url.hostname or "", port, user_name(role), password, remedy)
    files = NodeFiles.of(data_dir)
    state = files.state()
    remedy = "start it with `flowkeep run`"
    if state is None:
        raise UnreachableError(f"no ClickHouse is running on {data_dir}; {remedy}")
    return _Endpoint("http", LOOPBACK, state.http_port, user_name(role), files.passwords()[role], remedy)


class Client:
    """A connection pool; may be shared by threads. Use `connect` to make one, and close it."""

    def __init__(self, endpoint: _Endpoint, database: str, patience: float) -> None:
        self._endpoint = endpoint
        self.database = database
        with self._errors():
            self._http = clickhouse_connect.get_client(
                interface=endpoint.scheme,
                host=endpoint.host,
                port=endpoint.port,
                username=endpoint.user,
                password=endpoint.password,
                compress=False,
                connect_timeout=_CONNECT_SECONDS,
                send_receive_timeout=patience,
                client_name="flowkeep",
                tz_mode="aware",
                autogenerate_session_id=False,  # a session would allow one query at a time
                dedicated_pool=True,
                show_clickhouse_errors=True,
            )
        # Set only now: the driver's own first queries would fail while the database does not exist yet.
        self._http.database = database
        known = self._http.server_settings
        self._insert_settings = _INSERT | {name: value for name, value in _INSERT_WHERE_KNOWN.items() if name in known}

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        query_id: str = "",
        beside: Beside | None = None,
    ) -> Result:
        """Run one SELECT; `parameters` fill its `{name:Type}` placeholders on the server.

        While it runs, `reading` tells how far the one with that `query_id` has come. The table `beside` is there for
        this query alone.
        """
        with self._errors():
            result = self._http.query(
                sql,
                parameters=dict(parameters) if parameters else None,
                settings=_named(query_id),
                external_data=_external(beside) if beside else None,
            )
        return Result(list(result.column_names), list(result.result_rows))

    def text(self, sql: str, names: bool = False, query_id: str = "") -> str:
        """Return the answer to any one statement as tab-separated text, or in the statement's own FORMAT.

        `names` asks for a first line with the columns' names; a FORMAT then counts for nothing. `query_id` is as of
        `query`.
        """
        headers = {"X-ClickHouse-Format": "TabSeparatedWithNames"} if names else None
        with self._errors():
            answer = self._http.raw_query(sql, settings=_named(query_id), transport_settings=headers)
        return str(answer, "utf-8", "replace")

    def reading(self, query_id: str) -> Reading | None:
        """Return how far a query has come; None for one that does not run."""
        sql = "SELECT read_rows, total_rows_approx FROM system.processes WHERE query_id = {id:String}"
        found = self.query(sql, {"id": query_id}).rows
        return Reading(*found[0]) if found else None

    def command(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run one statement that answers nothing (DDL, ALTER, SYSTEM, INSERT SELECT); `parameters` as of `query`."""
        with self._errors():
            self._http.command(sql, parameters=dict(parameters) if parameters else None)

    def create_database(self) -> None:
        """Make our database if it does not exist yet."""
        with self._errors():
            self._http.command(f"CREATE DATABASE IF NOT EXISTS `{self.database}`", use_database=False)

    def insert(self, table: str, columns: Sequence[str], block: Sequence[bytes | memoryview], token: str) -> None:
        """Insert one Native block, given as buffers of octets; a second with the same `token` is dropped by the server.

        Returns when the rows are in the table. After an error (`is_retryable` tells which kind) they may or may not be
        in, and a replay with the same token is safe.
        """
        settings = self._insert_settings | {"insert_deduplication_token": token}
        names = ", ".join(f"`{column}`" for column in columns)
        # The driver sends a list's items as they are, if told their length: no copy of the whole is made. It may send
        # them again on a new connection, which an iterator would not stand.
        body = [f"INSERT INTO {table} ({names}) FORMAT Native\n".encode(), *block]
        length = {"Content-Length": str(sum(map(len, body)))}
        with self._errors():
            self._http.raw_insert(None, None, body, settings, "Native", transport_settings=length)

    def close(self) -> None:
        """Close the pool's connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClickHouseError as error:
            code = getattr(error, "code", None)
            if code is not None:
                raise DatabaseRefusalError(f"ClickHouse refused: {_one_line(str(error))}", code) from None
            where = f"ClickHouse at {self._endpoint} does not answer ({_cause(error)})"
            raise UnreachableError(f"{where}; {self._endpoint.remedy}") from None


def _one_line(message: str) -> str:
    """Strip ClickHouse's prefix, version and line breaks from a server message."""
    return " ".join(_TRAILER.sub("", _PREFIX.sub("", message)).split())


def _cause(error: BaseException) -> str:
    """Return the innermost reason, such as 'Connection refused', of a driver's chain of exceptions."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return getattr(error, "strerror", None) or _one_line(str(error))
