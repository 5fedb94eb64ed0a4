"""Where what a notification is about is opened in the web client."""

from uuid import UUID

# Subject type → the folder of its page.
_PAGES = {
    "assignment_batch": "assignments/batches",
    "collision": "duplicates/collisions",
    "customer": "customers",
    "customer_batch": "customers/batches",
    "export": "exports",
    "extension": "extensions",
    "import": "imports",
    "leaver": "members",
    "message": "messages",
    "announcement": "announcements",
    "mailing": "mailings",
    "opportunity": "opportunities",
    "pool": "pools",
    "recycling_run": "releases",
    "schedule": "schedules",
    "task": "tasks",
    "task_dispatch": "tasks/dispatches",
}


def path_of(subject_type: str | None, subject_id: UUID | None) -> str:
    """The path of the page of a subject; of the inbox, when there is none or it is not known here."""
    page = _PAGES.get(subject_type or "")
    return f"/{page}/{subject_id}" if page and subject_id else "/notifications"
