"""Shapes of departments in REST."""

from uuid import UUID

from chassis.http.api import Body, View
from crm_identity.organisation.views import NIL, Name


class DepartmentView(View):
    """A department; the root has no parent."""

    id: UUID
    name: str
    parent_id: UUID | None
    head_id: UUID | None
    version: int


class DepartmentInTree(DepartmentView):
    """A department in its place: names from the root to itself, its head's name, how many active people are in it,
    and in it and everything below.
    """

    path: list[str]
    head_name: str | None
    member_count: int
    member_count_below: int


class NewDepartment(Body):
    """A department below another."""

    name: Name
    parent_id: UUID
    head_id: UUID | None = None


class DepartmentChange(Body):
    """What is to change; the rest stays. Without `head_id: null` the head stays."""

    name: Name = ""
    parent_id: UUID = NIL
    head_id: UUID | None = None


class Merge(Body):
    """The department that takes members and departments of the one that ends."""

    into_id: UUID


class MergeView(View):
    """What a merge moved into `into_id`. `former_head_id` headed the department that is gone, and heads it no more."""

    into_id: UUID
    members_moved: int
    departments_moved: int
    former_head_id: UUID | None
