"""What belongs to a customer and moves with a merge (decision 0033): every column that names one is here, or in `STAYS`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Child:
    """A record of one customer, named in `column`. `label`: what a list shows of it; `owned`: in a pool nobody owns it;
    `unless`: which of them stay at the loser.
    """

    kind: str
    table: str
    label: str
    column: str = "customer_id"
    key: str = "id"
    owned: bool = False
    unless: str = "FALSE"


@dataclass(frozen=True)
class Link:
    """A link between a customer and `other`. Of several in one `group` the merged customer gets one; `may`: which ones it can
    get at all, `returns`: which come back.
    """

    kind: str
    table: str
    other: str
    label: str
    group: str
    may: str = "TRUE"
    returns: str = "TRUE"


# An asker has one open case with a customer: a second one stays at the loser, for its return.
_ASKED_BEFORE = """collisions.status = 'open' AND EXISTS (
    SELECT FROM collisions AS other WHERE other.status = 'open' AND other.asked_by = collisions.asked_by
        AND other.id <> collisions.id
        AND (other.customer_id = :survivor OR other.customer_id = ANY(:losers) AND other.id < collisions.id))"""
_PERSON = "(SELECT name FROM directory_members AS member WHERE member.id = {})"

# Opportunities before orders: an order goes back with its opportunity.
CHILDREN = (
    Child("activity", "activities", "COALESCE(title, content)"),
    Child("task", "tasks", "subject"),
    Child("schedule_entry", "schedule_entries", "subject"),
    Child("file", "attachments", "name"),
    Child("opportunity", "opportunities", "name", owned=True),
    Child("order", "orders", "number::text", owned=True),
    Child("main_contact", "contacts", "name", owned=True),
    Child("collision", "collisions", "reason", unless=_ASKED_BEFORE),
    Child("own_collision", "collisions", "reason", column="own_customer_id"),
    Child(
        "child",
        "customer_profiles",
        "(SELECT name FROM customers WHERE customers.id = customer_profiles.customer_id)",
        column="parent_customer_id",
        key="customer_id",
        unless="customer_profiles.customer_id = :survivor OR customer_profiles.customer_id = ANY(:losers)",
    ),
)
LINKS = (
    Link(
        "contact",
        "customer_contacts",
        "contact_id",
        "(SELECT name FROM contacts WHERE contacts.id = customer_contacts.contact_id)",
        "contact_id",
    ),
    # In a pool there are no collaborators, and an owner is none (decision 0021).
    Link(
        "collaborator",
        "collaborators",
        "member_id",
        _PERSON.format("collaborators.member_id"),
        "member_id",
        may="CAST(:owner AS uuid) IS NOT NULL AND member_id <> CAST(:owner AS uuid)",
    ),
    Link("star", "stars", "member_id", _PERSON.format("stars.member_id"), "member_id"),
    # A customer bears one tag of a group, unless it is one of several (I-01).
    Link(
        "tag",
        "customer_tags",
        "tag_id",
        "(SELECT name FROM tags WHERE tags.id = customer_tags.tag_id)",
        "(SELECT CASE WHEN multiple THEN tags.id ELSE group_id END"
        " FROM tags JOIN tag_groups ON tag_groups.id = group_id WHERE tags.id = tag_id)",
        returns="EXISTS (SELECT FROM tags WHERE tags.id = moved.record_id)",
    ),
)
# Columns that go on naming a loser, and why.
STAYS = {
    "customers.merged_into": "says where it went",
    "customer_profiles.customer_id": "its own values, for its return",
    "customer_search.customer_id": "made of its own values",
    "customer_aliases.customer_id": "made of its own values",
    "assignment_effects.customer_id": "what its own changes of place did",
    "duplicate_scan_keys.customer_id": "what a scan saw",
    "duplicate_pairs.first_id": "what a scan saw",
    "duplicate_pairs.second_id": "what a scan saw",
    "duplicate_group_members.customer_id": "what a scan saw",
    "distinct_pairs.first_id": "somebody said so of just these two",
    "distinct_pairs.second_id": "somebody said so of just these two",
    "merges.survivor_id": "what an earlier merge did",
    "merge_losers.customer_id": "what an earlier merge did",
    "merged_records.from_id": "what an earlier merge did",
}
