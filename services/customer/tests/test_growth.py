"""A page reads about as many rows as it shows while tables grow faster than PostgreSQL looks at them."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import sight_of
from crm_customer.listing.queries import page_of
from crm_customer.listing.rules import Filter
from crm_customer.ownership import projection
from crm_customer.ownership.rules import HIDDEN_BY_DEFAULT
from crm_customer.service import SERVICE
from tests.support.services import Opener

# A statement is prepared after five times, and keeps one plan after five more.
UNTIL_PLANNED = 12
BEFORE, ADDED, MOST_READ = 100, 5_000, 400
TABLES = ("customers", "contacts", "customer_contacts")
FILL = text("""
    WITH made AS (
        INSERT INTO customers (id, version, facts_version, name, pool_id, assignment_version, created_by, created_at, updated_at)
        SELECT gen_random_uuid(), 1, 1, 'growing', CAST(:pool AS uuid), 1, gen_random_uuid(), now(), now()
        FROM generate_series(1, :rows) RETURNING id
    ), met AS (
        INSERT INTO contacts (id, customer_id, name, created_at, updated_at)
        SELECT gen_random_uuid(), id, 'someone', now(), now() FROM made RETURNING id, customer_id
    )
    INSERT INTO customer_contacts (customer_id, contact_id, is_primary) SELECT customer_id, id, TRUE FROM met
""")
READ = text(
    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname = ANY (:tables)"
)


@pytest.mark.parametrize("role", ["sales", "supervisor", "admin"])
def test_a_page_does_not_read_what_an_import_has_just_added(services: Opener, role: str) -> None:
    with services.open(SERVICE) as opened:
        pool = pb.Pool(
            id=str(new_id()),
            version=1,
            name="公海",
            kind=pb.POOL_KIND_PUBLIC,
            open_to_all=True,
            hidden_fields=HIDDEN_BY_DEFAULT,
        )
        with opened.database.transaction() as session:
            projection.keep_pools(session, [pool])
            for table in TABLES:
                session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            session.execute(FILL, {"rows": BEFORE, "pool": pool.id})
        with opened.database.reading() as session:
            for _ in range(UNTIL_PLANNED):
                _read_page(session, opened.organisation.members[role].id)
            with opened.database.transaction() as importing:
                importing.execute(FILL, {"rows": ADDED, "pool": pool.id})
            before = session.scalar(READ, {"tables": list(TABLES)})

            _read_page(session, opened.organisation.members[role].id)

            assert session.scalar(READ, {"tables": list(TABLES)}) - before <= MOST_READ


def _read_page(session: Session, member_id: UUID) -> None:
    sight = sight_of(session, member_id)
    assert len(seen(session, sight, page_of(session, sight, Filter(), 0, 16))) == 16
