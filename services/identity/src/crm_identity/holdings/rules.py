"""What a member's roles add up to (H-16), and cells that no spreadsheet runs."""

from collections.abc import Iterable, Sequence
from typing import Protocol

SCOPES = ("own", "department", "centre", "company")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Grants(Protocol):
    """A role as far as it counts here."""

    name: str
    permissions: list[str]
    data_scope: str


def widest(roles: Iterable[Grants]) -> str:
    """The widest data scope; without roles one's own."""
    held = {role.data_scope for role in roles}
    return next((scope for scope in reversed(SCOPES) if scope in held), "own")


def granted(roles: Sequence[Grants]) -> dict[str, list[str]]:
    """Each permission with the names of the roles that grant it."""
    codes = sorted({code for role in roles for code in role.permissions})
    return {code: [role.name for role in roles if code in role.permissions] for code in codes}


def harmless(text: str) -> str:
    """`text` that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
