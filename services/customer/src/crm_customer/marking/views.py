"""Shapes of marks on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_customer.tags.rules import MOST_TAGS
from crm_customer.tags.views import BorneTag

TagIds = Annotated[list[UUID], Field(max_length=MOST_TAGS)]


class TagsBody(Body):
    """All tags that the record is to bear."""

    tag_ids: TagIds


class TagsOfRecord(View):
    """The tags that the record bears now."""

    tags: list[BorneTag]
