"""What an InfluxDB must have before Palier writes into it: two databases, their retention, two accounts.

The writer reads and writes both databases, the reader reads them; neither can do more. Doing it again changes
nothing. On 1.x the accounts are names with passwords that the caller gives; on 2.x the server makes the
tokens, and shows each only once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from .base import HistorianError, Unavailable
from .influx import HOURLY
from .influx_server import Account, Server, Unauthorized
from .influxql import Statement, database_name, literal
from .schema import LONG_RUN_DAYS, RAW_DAYS

if TYPE_CHECKING:
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.domain.bucket import Bucket

WRITER: Final = "palier_writer"
READER: Final = "palier_reader"


@dataclass(frozen=True, slots=True)
class Kept:
    """A database, how long it keeps rows, and how much of them one file holds.

    A file is deleted as a whole, so a database holds up to one more than its days.
    """

    name: str
    days: int
    shard_days: int


@dataclass(frozen=True, slots=True)
class Done:
    """What was made; `tokens` are the new ones of 2.x by account, never shown by repr.

    `changed` are the accounts of 1.x whose password is another one now. `open` says that the server asks
    nobody for an account.
    """

    version: str
    databases: tuple[str, ...]
    accounts: tuple[str, ...]
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    changed: tuple[str, ...] = ()
    open: bool = False


def wanted(database: str) -> tuple[Kept, Kept]:
    """The two databases. A day or half a year a file: some hundred files each, as InfluxDB advises."""
    return Kept(database, RAW_DAYS, 1), Kept(database + HOURLY, LONG_RUN_DAYS, 182)


def set_up_1(
    server: Server, database: str, passwords: dict[str, str], admin: Account, *, shorten: bool = False
) -> Done:
    """Databases and accounts of a 1.x. `passwords` by account; `shorten` lets rows go that are there.

    Raises HistorianError.
    """
    _first_admin(server, admin)
    databases = wanted(database)
    there = {name for series in server.command("SHOW DATABASES") for name in series.columns["name"]}
    for kept in databases:
        name = database_name(kept.name)
        lasting = f"DURATION {kept.days}d REPLICATION 1 SHARD DURATION {kept.shard_days}d"
        if kept.name not in there:
            server.command(f'CREATE DATABASE {name} WITH {lasting} NAME "palier"')
        else:
            policy, hours = _default_policy(server, kept.name)
            if not shorten:
                _refuse_to_shorten(server, kept, hours / 24)
            policy = database_name(policy)
            server.command(f"ALTER RETENTION POLICY {policy} ON {name} {lasting} DEFAULT")
    users, changed = _users(server, admin), []
    for user, password in passwords.items():
        if user not in users:
            server.command(f"CREATE USER {database_name(user)} WITH PASSWORD {literal(password)}")
        elif not _lets_in(server, Account(user, password)):
            changed.append(user)
            server.command(f"SET PASSWORD FOR {database_name(user)} = {literal(password)}")
        for kept in databases:
            may = "ALL" if user == WRITER else "READ"
            server.command(f"GRANT {may} ON {database_name(kept.name)} TO {database_name(user)}")
    return Done(
        server.abilities().version,
        tuple(kept.name for kept in databases),
        tuple(passwords),
        changed=tuple(changed),
        open=_lets_in(server, Account()),
    )


def set_up_2(
    server: Server,
    client: InfluxDBClient,
    database: str,
    org: str,
    holds: Callable[[str], bool],
    *,
    shorten: bool = False,
) -> Done:
    """Buckets and tokens of a 2.x; `holds` says whether the token of an account is there and works, `shorten`
    lets rows go that are there.

    Raises HistorianError.
    """
    from influxdb_client.rest import ApiException
    from urllib3.exceptions import HTTPError

    version = server.abilities().version
    try:
        orgs = [found for found in client.organizations_api().find_organizations() if found.name == org]
        if not orgs:
            raise HistorianError(f"{server.url} has no organisation {org!r}: name one that is there by --org")
        if not shorten:
            for kept in wanted(database):
                if (there := _found(client, kept.name)) is not None:
                    seconds = sum(rule.every_seconds for rule in there.retention_rules or [])
                    _refuse_to_shorten(server, kept, seconds / 86_400)
        buckets = [_bucket(client, kept, orgs[0].id) for kept in wanted(database)]
        tokens = {
            account: _token(client, account, buckets, orgs[0].id)
            for account in (WRITER, READER)
            if not holds(account)
        }
    except ApiException as error:
        remedy = "the token must be an administrator's" if error.status in {401, 403} else "look at its log"
        raise HistorianError(
            f"{server.url} refuses the set-up ({error.status} {error.reason}): {remedy}"
        ) from error
    except HTTPError as error:
        raise Unavailable(f"{server.url} left in the midst of the set-up ({error}): do it again") from error
    return Done(version, tuple(b.name for b in buckets), (WRITER, READER), tokens)


def works(server: Server, database: str) -> bool:
    """Whether the account of this server may read both databases."""
    try:
        for kept in wanted(database):
            server.query(kept.name, [Statement('SHOW TAG VALUES WITH KEY = "site" LIMIT 1')])
    except HistorianError:
        return False
    return True


def _lets_in(server: Server, account: Account) -> bool:
    """Whether a 1.x answers this account. Raises HistorianError where it answers nobody."""
    with closing(Server(server.url, account, ca_file=server.ca_file)) as asked:
        try:
            asked.command("SHOW DATABASES")
        except Unauthorized:
            return False
    return True


def _first_admin(server: Server, admin: Account) -> None:
    """A fresh 1.x with accounts switched on answers nothing but the making of its first administrator."""
    try:
        server.command("SHOW DATABASES")
    except HistorianError as error:
        if "create admin user" not in str(error):
            raise
        _make_admin(server, admin)


def _make_admin(server: Server, admin: Account) -> None:
    name, password = database_name(admin.username), literal(admin.password)
    server.command(f"CREATE USER {name} WITH PASSWORD {password} WITH ALL PRIVILEGES")


def _users(server: Server, admin: Account) -> set[str]:
    """The users of a 1.x, and its first administrator among them.

    A server without accounts switched on has none: with only others there, it would let nobody in any more
    once they are switched on.
    """
    rights = {
        user: may
        for series in server.command("SHOW USERS")
        for user, may in zip(series.columns["user"], series.columns["admin"], strict=True)
    }
    if not any(rights.values()) and admin.username not in rights:
        _make_admin(server, admin)
    return set(rights)


def _refuse_to_shorten(server: Server, kept: Kept, days: float) -> None:
    """A database that holds rows and keeps them longer, or for ever (0 days), is somebody's decision."""
    if 0 < days <= kept.days:
        return
    (found,) = server.query(kept.name, [Statement("SHOW SERIES LIMIT 1")])
    if found:
        now = f"{days:g} days" if days else "for ever"
        raise HistorianError(
            f"{kept.name!r} holds rows and keeps them {now}; Palier keeps them {kept.days} days, and what "
            "is older would be deleted at once: give --shorten if it may go, or another --database"
        )


def _default_policy(server: Server, database: str) -> tuple[str, float]:
    """Name of the default retention policy, and how many hours it keeps rows; 0 for ever."""
    for series in server.command(f"SHOW RETENTION POLICIES ON {database_name(database)}", database):
        names = ("name", "duration", "default")
        for name, duration, default in zip(*(series.columns[n] for n in names), strict=True):
            if default:
                hours, _, _ = str(duration).partition("h")  # "2160h0m0s", "0s"
                return str(name), float(hours) if hours.isdigit() else 0.0
    raise HistorianError(f"the database {database!r} has no default retention policy: give it one")


def _bucket(client: InfluxDBClient, kept: Kept, org_id: str) -> Bucket:
    from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules

    api = client.buckets_api()
    rule = BucketRetentionRules(
        type="expire",
        every_seconds=int(timedelta(days=kept.days).total_seconds()),
        shard_group_duration_seconds=int(timedelta(days=kept.shard_days).total_seconds()),
    )
    found = _found(client, kept.name)
    if found is None:
        return api.create_bucket(bucket_name=kept.name, retention_rules=[rule], org=org_id)
    found.retention_rules = [rule]
    return api.update_bucket(found)


def _found(client: InfluxDBClient, name: str) -> Bucket | None:
    """The bucket of that name. Some versions answer 404 where there is none, others an empty list."""
    from influxdb_client.rest import ApiException

    try:
        found: Bucket | None = client.buckets_api().find_bucket_by_name(name)
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    return found


def _token(client: InfluxDBClient, account: str, buckets: list[Bucket], org_id: str) -> str:
    from influxdb_client.domain.permission import Permission
    from influxdb_client.domain.permission_resource import PermissionResource

    actions = ("read", "write") if account == WRITER else ("read",)
    resources = [PermissionResource(type="buckets", id=b.id, org_id=org_id) for b in buckets]
    permissions = [
        Permission(action=action, resource=resource) for resource in resources for action in actions
    ]
    made = client.authorizations_api().create_authorization(org_id=org_id, permissions=permissions)
    return str(made.token)
