"""Shapes of trying rows again."""

from chassis.http.api import Body
from crm_import.results.rules import Only


class RetryBody(Body):
    """`only`: rows put right alone, or failed ones alone."""

    only: Only | None = None
