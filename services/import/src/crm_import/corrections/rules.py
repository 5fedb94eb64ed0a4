"""Corrected cells over those of the file. Pure."""

from collections.abc import Mapping, Sequence


def overlaid(cells: Sequence[str], corrected: Mapping[int, str], first_column: int) -> list[str]:
    """The cells, which begin with `first_column`, with those that were corrected in their places."""
    return [corrected.get(column, text) for column, text in enumerate(cells, first_column)]
