"""What notifications quote of words that their author can take back."""

# The parameters of notifications that hold such words.
QUOTED = ("title", "excerpt", "customer")
_LONGEST_EXCERPT = 100


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_EXCERPT else f"{line[: _LONGEST_EXCERPT - 1]}…"
