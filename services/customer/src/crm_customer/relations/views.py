"""Shapes of what ties a contact to a customer."""

from pydantic import Field

from chassis.http.api import Body


class RelationBody(Body):
    """How the contact belongs to the customer; what is left out stays as it is."""

    relation_type: str | None = Field(
        default=None, description="option of the dictionary relation_type; empty clears it"
    )
    is_primary: bool | None = Field(default=None, description="true: instead of whoever is it now (B-37)")
