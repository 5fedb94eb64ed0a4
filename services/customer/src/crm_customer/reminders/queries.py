"""What is due for some members on a day: one statement a kind, that reads what is theirs and no more (decision 0026)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from chassis.days import day_after, day_of, start_of
from crm_customer.configuration import settings_of
from crm_customer.contact_list.rules import birthdays_between
from crm_customer.contacts.lunar import lunar_birthdays_between
from crm_customer.reminders.model import ReminderSettings, WorkDigest
from crm_customer.reminders.rules import Ahead, Day, DueKind, Group, Item, next_birthday
from directory.scope import zone_of
from directory.tables import members

# Each finds member_id, subject_id, customer_id, customer_name, title and due_on of the members :members.
_FOLLOW_UP = """
    -- Promised by who works on the customer; else its owner keeps the promise (decision 0026). What was past already when it
    -- was written down, later than it happened, is history that somebody has imported (D-33).
    WITH promised AS (
        SELECT activities.id, activities.customer_id, activities.member_id AS author_id, next_contact_on, content
        FROM activities WHERE member_id = ANY(:members) AND next_contact_on <= :today AND deleted_at IS NULL
            AND NOT (version = 1 AND at < updated_at AND next_contact_on < CAST(updated_at AT TIME ZONE :zone AS date))
        UNION
        SELECT activities.id, activities.customer_id, activities.member_id, next_contact_on, content
        FROM customers JOIN activities ON activities.customer_id = customers.id
        WHERE customers.owner_id = ANY(:members) AND customers.deleted_at IS NULL
            AND next_contact_on <= :today AND activities.deleted_at IS NULL AND NOT (activities.version = 1
                AND at < activities.updated_at
                AND next_contact_on < CAST(activities.updated_at AT TIME ZONE :zone AS date))
    ), kept_by AS (
        SELECT promised.*, customers.name, CASE WHEN EXISTS (
            SELECT FROM collaborators WHERE collaborators.customer_id = customers.id AND collaborators.member_id = author_id
                AND (until IS NULL OR until > now()) AND (customers.locked_at IS NULL OR customers.owner_left)
        ) THEN author_id ELSE customers.owner_id END AS member_id
        FROM promised JOIN customers ON customers.id = promised.customer_id AND customers.deleted_at IS NULL
    )
    SELECT member_id, id AS subject_id, customer_id, name AS customer_name, content AS title, next_contact_on AS due_on
    FROM kept_by WHERE member_id = ANY(:members) AND NOT EXISTS (
        SELECT FROM activities AS later JOIN activities AS this ON this.id = kept_by.id
        WHERE later.customer_id = kept_by.customer_id AND later.at > this.at
            AND later.kind = 'follow_up' AND later.deleted_at IS NULL
    )
"""
_TASK = """
    SELECT handler_id AS member_id, tasks.id AS subject_id, customer_id, coalesce(customers.name, '') AS customer_name,
        subject AS title, CAST(due_at AT TIME ZONE :zone AS date) AS due_on
    FROM tasks LEFT JOIN customers ON customers.id = tasks.customer_id
    WHERE handler_id = ANY(:members) AND tasks.status IN ('open', 'in_progress') AND due_at < :ends AND tasks.deleted_at IS NULL
        AND (tasks.customer_id IS NULL OR customers.deleted_at IS NULL)
"""
_SCHEDULE = """
    SELECT member_id, entries.id AS subject_id, customer_id, coalesce(customers.name, '') AS customer_name,
        subject AS title, CAST(starts_at AT TIME ZONE :zone AS date) AS due_on
    FROM schedule_entries AS entries LEFT JOIN customers ON customers.id = entries.customer_id
    WHERE member_id = ANY(:members) AND starts_at < :ends AND starts_at > CAST(:begins AS timestamptz) - interval '367 days'
        AND (ends_at > :begins OR starts_at >= :begins)
        AND entries.deleted_at IS NULL AND (entries.customer_id IS NULL OR customers.deleted_at IS NULL)
"""
_OPPORTUNITY = """
    SELECT opportunities.owner_id AS member_id, opportunities.id AS subject_id, customer_id, customers.name AS customer_name,
        opportunities.name AS title, CAST(progress_at AT TIME ZONE :zone AS date) + :no_progress_days AS due_on
    FROM opportunities JOIN customers ON customers.id = opportunities.customer_id
    WHERE opportunities.owner_id = ANY(:members) AND closed_at IS NULL AND opportunities.deleted_at IS NULL
        AND customers.deleted_at IS NULL
        AND progress_at < CAST(:ends AS timestamptz) - make_interval(days => :no_progress_days)
"""
_NOT_CONTACTED = """
    SELECT owner_id AS member_id, id AS subject_id, id AS customer_id, name AS customer_name, name AS title,
        CAST(greatest(last_touch_at, coalesce(held_since, created_at)) AT TIME ZONE :zone AS date) + :not_contacted_days AS due_on
    FROM customers
    WHERE owner_id = ANY(:members) AND deleted_at IS NULL
        AND greatest(last_touch_at, coalesce(held_since, created_at)) < CAST(:ends AS timestamptz) - make_interval(days => :not_contacted_days)
"""
_RECEIVABLE = """
    SELECT customers.owner_id AS member_id, receivables.id AS subject_id, customers.id AS customer_id,
        customers.name AS customer_name, outstanding || ' ' || currency AS title, due_on
    FROM customers JOIN orders ON orders.customer_id = customers.id
    JOIN receivables ON receivables.order_id = orders.id
    WHERE customers.owner_id = ANY(:members) AND customers.deleted_at IS NULL AND outstanding > 0
        AND due_on <= CAST(:today AS date) + :receivable_days
"""
_BIRTHDAY = """
    SELECT customers.owner_id AS member_id, contacts.id AS subject_id, customers.id AS customer_id,
        customers.name AS customer_name, contacts.name AS title, CASE WHEN lunar_birthday IS NULL THEN birthday
            ELSE (CAST(:lunar_days AS date[]))[array_position(CAST(:lunar_birthdays AS smallint[]), lunar_birthday)]
        END AS due_on
    FROM contacts JOIN customers ON customers.id = contacts.customer_id
    WHERE customers.owner_id = ANY(:members) AND customers.deleted_at IS NULL AND birthday IS NOT NULL
        AND contacts.deleted_at IS NULL
        AND CASE WHEN lunar_birthday IS NOT NULL THEN lunar_birthday = ANY(CAST(:lunar_birthdays AS smallint[]))
            WHEN :first_day <= :last_day
            THEN EXTRACT(month FROM birthday) * 100 + EXTRACT(day FROM birthday) BETWEEN :first_day AND :last_day
            ELSE EXTRACT(month FROM birthday) * 100 + EXTRACT(day FROM birthday) >= :first_day
                OR EXTRACT(month FROM birthday) * 100 + EXTRACT(day FROM birthday) <= :last_day END
"""
_SUBJECTS: Mapping[DueKind, tuple[str, str]] = {
    DueKind.FOLLOW_UP: ("activity", _FOLLOW_UP),
    DueKind.TASK: ("task", _TASK),
    DueKind.SCHEDULE: ("schedule_entry", _SCHEDULE),
    DueKind.OPPORTUNITY: ("opportunity", _OPPORTUNITY),
    DueKind.NOT_CONTACTED: ("customer", _NOT_CONTACTED),
    DueKind.RECEIVABLE: ("receivable", _RECEIVABLE),
    DueKind.BIRTHDAY: ("contact", _BIRTHDAY),
}
# Of each member how many there are, with the first row, and the most urgent ones from number `offset` on.
_RANKED = """
    SELECT * FROM (
        SELECT due.*, count(*) OVER (PARTITION BY member_id) AS found,
            row_number() OVER (PARTITION BY member_id ORDER BY {order}, subject_id) AS place
        FROM ({due}) AS due
    ) AS ranked WHERE place = 1 OR place > :offset AND place <= :offset + :most ORDER BY member_id, place
"""
# The next one first, across the end of the year: its month and day from today on.
_SOONEST_BIRTHDAY = "to_char(due_on, 'MMDD') < to_char(CAST(:today AS date), 'MMDD'), to_char(due_on, 'MMDD')"
_STATEMENTS = {
    kind: text(_RANKED.format(due=due, order=_SOONEST_BIRTHDAY if kind is DueKind.BIRTHDAY else "due_on"))
    for kind, (_, due) in _SUBJECTS.items()
}
_TITLE_SHOWN = 100
WORK = "work"


def today_of(session: Session, now: datetime) -> tuple[Day, str]:
    """The organisation's day of this moment, and its zone."""
    zone = zone_of(session)
    today = day_of(now, zone)
    return Day(today, start_of(today, zone), start_of(day_after(today), zone)), zone


def ahead_of(session: Session) -> Ahead:
    """Settings as plain values."""
    settings = settings_of(session, ReminderSettings)
    return Ahead(
        settings.not_contacted_days, settings.no_progress_days, settings.birthday_days, settings.receivable_days
    )


def due(
    session: Session,
    kind: DueKind,
    member_ids: Sequence[UUID],
    day: Day,
    zone: str,
    ahead: Ahead,
    most: int,
    offset: int = 0,
) -> dict[UUID, Group]:
    """What of one kind is due for each of the members who have any, the most urgent first, from number `offset` on."""
    last = day.today + timedelta(days=ahead.birthday_days)
    birthdays, lunar = birthdays_between(day.today, last), lunar_birthdays_between(day.today, last)
    parameters: dict[str, Any] = {
        "members": list(member_ids),
        "today": day.today,
        "begins": day.begins,
        "ends": day.ends,
        "zone": zone,
        "first_day": birthdays.first,
        "last_day": birthdays.last,
        "lunar_birthdays": [birthday for birthday, _ in lunar],
        "lunar_days": [kept for _, kept in lunar],
        "most": most,
        "offset": offset,
        **vars(ahead),
    }
    subject = _SUBJECTS[kind][0]
    groups: dict[UUID, Group] = {}
    for row in session.execute(_STATEMENTS[kind], parameters):
        group = groups.setdefault(row.member_id, Group(kind, row.found, []))
        if not offset < row.place <= offset + most:
            continue
        due_on = next_birthday(row.due_on, day.today) if kind is DueKind.BIRTHDAY else row.due_on
        item = Item(subject, row.subject_id, row.customer_id, row.customer_name, row.title[:_TITLE_SHOWN], due_on)
        group.items.append(item)
    return groups


def members_without_digest(session: Session, day: Day, most: int) -> Sequence[UUID]:
    """Active members who have not been looked at on this day, in id order."""
    told = exists().where(WorkDigest.member_id == members.c.id, WorkDigest.kind == WORK, WorkDigest.day == day.today)
    return session.scalars(select(members.c.id).where(members.c.active, ~told).order_by(members.c.id).limit(most)).all()
