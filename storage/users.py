"""The embedded node's configuration as text: its four users with what each may do, and its ports, logs and limits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from xml.sax.saxutils import escape

from storage.held_tables import COPIES, EVENTS, GONE, STAGING

ROLES = ("admin", "ingest", "query", "retention")
LOOPBACK = "127.0.0.1"
_LOG_FLUSH_MS = 2000

# The boot session runs as `default` without a password, which ClickHouse cannot shut out. One session is all it may
# have, and the boot session is that one: every other `default` is refused (code 700) before it can say anything. The
# quota is the second lock: three queries, all used up at boot.
_BOOT_GRANTS = ("GRANT SYSTEM LISTEN ON *.*", "GRANT CREATE TEMPORARY TABLE ON *.*")
_BOOT_QUERIES = 3
_FOREVER_SECONDS = 2_000_000_000

_MERGES = {
    # so that merges of large parts, which last for hours, leave room for the small ones of each second
    "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 2,
    # A merge holds buffers for each column that it writes; these begin at 16 KiB, not at 1 MiB.
    "min_columns_to_activate_adaptive_write_buffer": 1,
}

MERGE_THREADS = max(os.cpu_count() or 2, 2)  # more merges at once only wait for each other
_QUERY_SECONDS = 60
_FREE_FOR_A_THREAD = 64 * 2**20
_QUERY_RESULT_ROWS = 2_000_000


def user_name(role: str) -> str:
    """Return the ClickHouse user of one of `ROLES`."""
    return f"flowkeep_{role}"


def grants(role: str, database: str) -> tuple[str, ...]:
    """Return the GRANT and REVOKE statements of a role on `database`."""
    # A view reads with its maker's rights, so it has to be closed like the table behind it.
    people = [f"`{database}`.{log}_audit{view}" for log in ("query", "session") for view in ("", "_view")]
    match role:
        case "admin":
            return ("GRANT ALL ON *.* WITH GRANT OPTION",)
        case "ingest":
            others = (
                "purges",
                "purge_runs",
                "partitions_seen",
                "part_audit",
                EVENTS,
                "held_*",
                "dropped_*",
                f"{STAGING}*",
            )
            closed = [*(f"`{database}`.{table}" for table in others), *people]
            return (
                f"GRANT INSERT ON `{database}`.*",
                *(f"REVOKE INSERT ON {table}" for table in closed),
                "GRANT SELECT(database, table, max_block_number) ON system.parts",
            )
        case "query":
            # The scopes of holds name persons; what they hold is read as any other rows.
            closed = [*people, *(f"`{database}`.{table}" for table in (EVENTS, COPIES, f"{STAGING}*", "dropped_*"))]
            return (
                f"GRANT SELECT ON `{database}`.*",
                *(f"REVOKE SELECT ON {table}" for table in closed),
                # how far a query has come; not what it asks
                "GRANT SELECT(query_id, read_rows, total_rows_approx) ON system.processes",
            )
        case "retention":
            rights = "SELECT, ALTER DELETE, ALTER TTL, ALTER MATERIALIZE TTL, ALTER MOVE PARTITION"
            system = ("parts", "detached_parts", "part_log", "mutations", "merges")
            return (
                f"GRANT {rights} ON `{database}`.*",
                # What happened to holds only grows, and held rows never get an expiry.
                *(f"REVOKE ALTER DELETE ON `{database}`.{table}" for table in (EVENTS, COPIES, GONE)),
                *(f"REVOKE ALTER TTL, ALTER MATERIALIZE TTL ON `{database}`.{table}" for table in (EVENTS, "held_*")),
                f"GRANT INSERT ON `{database}`.purges",
                f"GRANT INSERT ON `{database}`.purge_runs",
                f"GRANT INSERT ON `{database}`.partitions_seen",
                f"GRANT INSERT ON `{database}`.{EVENTS}",
                f"GRANT INSERT ON `{database}`.held_*",
                # Copies of held rows are made in tables of their own, so that two runs cannot mix theirs.
                f"GRANT CREATE TABLE, DROP TABLE, INSERT ON `{database}`.{STAGING}*",
                "GRANT TABLE ENGINE ON MergeTree",
                # What is dropped lies aside where the policy has a grace.
                f"GRANT INSERT ON `{database}`.dropped_*",
                *(f"GRANT SELECT ON system.{table}" for table in system),
            )
    raise KeyError(role)


def users_xml(passwords: Mapping[str, str], database: str, memory_limit: int) -> str:
    """Return users.xml: `passwords` by role; `memory_limit`, octets, is the whole node's."""
    users = [_user("default", "<password></password>", "boot", _BOOT_GRANTS)]
    for role in ROLES:
        digest = sha256(passwords[role].encode()).hexdigest()
        secret = f"<password_sha256_hex>{digest}</password_sha256_hex>"
        users.append(_user(user_name(role), secret, role, grants(role, database)))
    profiles = {
        "default": "",
        "boot": _settings({"max_sessions_for_user": (1, 1), "max_memory_usage": (1, 64 * 2**20)}),
    }
    profiles |= {role: _settings(_limits(role, memory_limit)) for role in ROLES}
    quotas = dict.fromkeys(("default", *ROLES), "")
    quotas["boot"] = f"<interval><duration>{_FOREVER_SECONDS}</duration><queries>{_BOOT_QUERIES}</queries></interval>"
    return _document({"profiles": _elements(profiles), "quotas": _elements(quotas), "users": "".join(users)})


def _user(name: str, secret: str, profile: str, statements: Iterable[str]) -> str:
    queries = "".join(f"<query>{escape(statement)}</query>" for statement in statements)
    return (
        f"<{name}>{secret}<networks><ip>{LOOPBACK}</ip></networks><profile>{profile}</profile>"
        f"<quota>{profile}</quota><grants>{queries}</grants></{name}>"
    )


def _limits(role: str, memory_limit: int) -> dict[str, tuple[int, int]]:
    """Return a role's settings, each with the least and the most it may be set to; the most is what it is set to."""
    limits = {
        "allow_python_table_function": (0, 0),  # chdb's own; in a node it ends the whole process
        # By itself a query takes one thread for each GB that is free, which of our few is one, whatever the cores.
        "max_threads_min_free_memory_per_thread": (0, _FREE_FOR_A_THREAD),
    }
    if role == "query":
        limits |= {
            "readonly": (2, 2),
            # Zero would mean no limit, so the least is one.
            "max_execution_time": (1, _QUERY_SECONDS),
            "max_result_rows": (1, _QUERY_RESULT_ROWS),
            "cancel_http_readonly_queries_on_client_close": (1, 1),  # Ctrl-C ends a query there too
            "max_memory_usage": (1, memory_limit * 2 // 5),
            "max_memory_usage_for_user": (1, memory_limit * 3 // 5),
            "max_bytes_before_external_group_by": (1, memory_limit // 6),
            "max_bytes_before_external_sort": (1, memory_limit // 6),
        }
    return limits


def _settings(limits: Mapping[str, tuple[int, int]]) -> str:
    """Return a profile's settings, each at its most, and the constraints that keep it within its limits."""
    values = {name: most for name, (_, most) in limits.items()}
    bounds = {name: f"<min>{least}</min><max>{most}</max>" for name, (least, most) in limits.items()}
    return _elements(values) + f"<constraints>{_elements(bounds)}</constraints>"


def config_xml(http_port: int, tcp_port: int, memory_limit: int) -> str:
    """Return config.xml: loopback only, small caches, system tables closed to those without a grant, logs on."""
    log = (
        "<partition_by>event_date</partition_by><ttl>event_date + INTERVAL 1 DAY</ttl>"
        f"<flush_interval_milliseconds>{_LOG_FLUSH_MS}</flush_interval_milliseconds>"
    )
    improvements = ("select_from_system_db_requires_grant", "select_from_information_schema_requires_grant")
    return _document(
        {
            "listen_host": LOOPBACK,
            "http_port": http_port,
            "tcp_port": tcp_port,
            "users_config": "users.xml",
            "timezone": "UTC",
            "max_server_memory_usage": memory_limit,
            "mark_cache_size": memory_limit // 32,
            "uncompressed_cache_size": 0,
            "background_pool_size": MERGE_THREADS,
            "merge_tree": _elements(_MERGES),
            "index_mark_cache_size": memory_limit // 128,
            "primary_index_cache_size": memory_limit // 128,
            "access_control_improvements": _elements(dict.fromkeys(improvements, "true")),
            **{
                name: f"<database>system</database><table>{name}</table>{log}"
                for name in ("query_log", "part_log", "session_log")
            },
        }
    )


def _elements(contents: Mapping[str, object]) -> str:
    return "".join(f"<{name}>{content}</{name}>\n" for name, content in contents.items())


def _document(contents: Mapping[str, object]) -> str:
    return f"<clickhouse>\n{_elements(contents)}</clickhouse>\n"
