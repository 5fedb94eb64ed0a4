"""Databases and roles: each database belongs to one role, and nobody else can connect to it."""

import psycopg
from psycopg import sql


def create(superuser_url: str, name: str, role: str, password: str) -> None:
    """Makes role and database, or brings existing ones to this state. Raises psycopg.Error."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        _close_shared_databases(connection)
        _ensure_role(connection, role, password)
        _ensure_database(connection, name, role)
        database = sql.Identifier(name)
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def _close_shared_databases(connection: psycopg.Connection) -> None:
    """Without this every role could enter ``postgres`` and ``template1`` and leave things there."""
    open_ones = connection.execute(
        "SELECT datname FROM pg_database WHERE datname IN ('postgres', 'template1') AND datacl IS NULL"
        " OR datname IN ('postgres', 'template1') AND has_database_privilege('public', datname, 'CONNECT')"
    ).fetchall()
    for (name,) in open_ones:
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER ROLE") if exists else sql.SQL("CREATE ROLE")
    statement = sql.SQL("{} {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}")
    connection.execute(statement.format(verb, sql.Identifier(role), sql.Literal(password)))


def _ensure_database(connection: psycopg.Connection, name: str, role: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if exists:
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(role)))
        return
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(role)))
