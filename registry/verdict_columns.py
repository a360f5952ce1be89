"""What a process that only verifies may read of the registry, column by column.

On PostgreSQL an account is granted just these (:func:`grant_verdicts`); on
SQLite, which knows no accounts, the connection itself refuses the rest. No
batch rows, persons, tokens, claim codes or blind indexes of persons are here,
and nothing at all may be written. Why: docs/decisions/0006-a-verifier-holds-no-issuing-key.md.
"""

from sqlalchemy import Connection, text

from credential.errors import ConfigError, InputError

VERDICT_COLUMNS: dict[str, tuple[str, ...]] = {
    "alembic_version": ("version_num",),
    "issuer": ("id", "uscc", "name", "division", "settings", "created_at"),
    "credential": (
        *("id", "issuer_id", "batch_id", "row_number", "kind", "serial", "version", "state"),
        *("status_list", "status_index", "issued_at", "issued_on", "expires_on"),
        *("sealed", "claims_digest", "prefix_digest", "issue_leaf", "code_index"),
        *("supersedes_id", "superseded_by_id"),
    ),
    "credential_file": ("id", "credential_id", "revision", "digest", "length", "prefix_digest", "seal_leaf"),
    "record_key": ("batch_id", "row_number", "wrapped"),
    "history": ("sequence", "kind", "credential_id", "state", "reason", "effective_on", "recorded_at", "details"),
    "erased": ("credential_id", "claims_digest", "erased_at"),
    "log_leaf": ("id", "leaf", "position"),
    "log_head": ("number", "origin", "size", "root", "committed_at"),
    "checkpoint_timestamp": ("id", "origin", "size", "key_id", "note", "tsa", "token", "attested_at"),
    "status_publication": ("list_number", "change_number", "published_change", "published_at"),
    "template_version": ("digest", "name", "number", "kind", "rules", "blob", "created_at"),
    "template_prefix": ("prefix_digest", "template_digest"),
}
"""Columns by table."""


class NoSuchRole(InputError):
    """The database has no account of this name."""

    code = "no-such-role"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"the database has no role {role!r}; create it first: CREATE ROLE … LOGIN PASSWORD …",
            f"数据库中没有角色“{role}”; 请先创建: CREATE ROLE … LOGIN PASSWORD …",
        )
        self.role = role


class RoleTooMighty(ConfigError):
    """The account may do more than is granted here, so granting would restrict nothing."""

    code = "role-too-mighty"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"the role {role!r} is a superuser, owns tables or is a member of another role, so no grant can hold it "
            "back; name a role made for the verifier",
            f"角色“{role}”是超级用户、表的所有者或其他角色的成员, 授权无法限制它; 请使用专为核验建立的角色",
        )
        self.role = role


class RolesNotKnown(ConfigError):
    """SQLite has no accounts."""

    code = "roles-not-known"

    def __init__(self) -> None:
        super().__init__(
            "SQLite has no roles; a verifier's connection restricts itself there, and nothing needs to be granted",
            "SQLite 没有角色; 核验进程的连接会自行限制权限, 无需授权",
        )


def grant_verdicts(connection: Connection, role: str) -> None:
    """Let an account read what a verdict needs, and take everything else from it; run again after a migration.

    Args:
        connection: of the owner of the tables, in a transaction.
        role: an account that exists and has no other part.

    Raises:
        RolesNotKnown: the database is SQLite.
        NoSuchRole: there is no such account.
        RoleTooMighty: it cannot be restricted by grants.
    """
    if connection.dialect.name != "postgresql":
        raise RolesNotKnown
    _check_role(connection, role)
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    schema = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.execute(text("SELECT current_schema()")).scalar_one())
    )
    statements = [f"REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM {quoted}" for kind in ("TABLES", "SEQUENCES")]
    statements += [f"GRANT USAGE ON SCHEMA {schema} TO {quoted}", f"REVOKE CREATE ON SCHEMA {schema} FROM {quoted}"]
    for table, columns in VERDICT_COLUMNS.items():
        statements.append(f"GRANT SELECT ({', '.join(columns)}) ON {schema}.{table} TO {quoted}")
    statements.append(f"ALTER ROLE {quoted} SET default_transaction_read_only = on")
    for statement in statements:
        connection.exec_driver_sql(statement)


def _check_role(connection: Connection, role: str) -> None:
    found = connection.execute(
        text(
            "SELECT r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication"
            " OR EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid)"
            " OR EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid) AS is_mighty"
            " FROM pg_roles r WHERE r.rolname = :role"
        ),
        {"role": role},
    ).one_or_none()
    if found is None:
        raise NoSuchRole(role)
    if found.is_mighty:
        raise RoleTooMighty(role)
