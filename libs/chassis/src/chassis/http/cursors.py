"""Cursors of lists: where a page ended, as clients get it and hand it back without understanding it."""

import base64
import json
from collections.abc import Callable
from typing import Any, TypeVar

from chassis.errors import FieldError, invalid

Position = TypeVar("Position")


def write_cursor(*parts: str | int) -> str:
    """The cursor that says `parts`."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(written: str, position: Callable[..., Position]) -> Position:
    """What `position` makes of the parts of a cursor; it raises ValueError or TypeError for those of another list.

    Raises Invalid unknown_cursor for anything that was not written for this list.
    """
    try:
        parts: Any = json.loads(base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True))
        return position(*parts)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise invalid(FieldError("/cursor", "unknown_cursor")) from error
