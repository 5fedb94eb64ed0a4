"""Decisions about rows that match a record (D-21). Pure."""

from enum import StrEnum

from crm_import.results.rules import Outcome


class Decision(StrEnum):
    """What is to become of a row that matches a record; nobody has decided `undecided` ones yet."""

    UNDECIDED = "undecided"
    UPDATE = "update"
    SKIP = "skip"
    CREATE = "create"


# What becomes of the row then, as far as a rehearsal can tell.
LEADS_TO = {
    Decision.UNDECIDED: Outcome.SKIPPED,
    Decision.UPDATE: Outcome.UPDATED,
    Decision.SKIP: Outcome.SKIPPED,
    Decision.CREATE: Outcome.CREATED,
}
# The code by which the writer says so of a row.
UNDECIDED = "undecided"
