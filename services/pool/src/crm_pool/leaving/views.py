"""Shapes of the leavers' REST API."""

from datetime import date, datetime
from uuid import UUID

from chassis.http.api import View
from crm_pool.assignments.views import Named


class LeaverView(View):
    """A member who left and owns `customers` still; on `hand_over_on` they go to the department's to-be-assigned pool,
    except `wecom_friends` of them, which stay until somebody gives them away.
    """

    member: Named
    department_id: UUID | None
    left_at: datetime
    hand_over_on: date
    customers: int
    wecom_friends: int
