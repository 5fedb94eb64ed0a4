"""What is compared when searching and matching: normalised text and its bigrams. Pure functions."""

import unicodedata

# Addresses share the index of names; this mark keeps their bigrams apart.
ADDRESS = "@"


def normalised(text: str) -> str:
    """`text` for comparison: NFKC, lower case, without any white space. 华夏 Ａ -> 华夏a."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def bigrams(text: str) -> set[str]:
    """Every two neighbouring characters of a normalised text; empty when it is shorter."""
    return {text[start : start + 2] for start in range(len(text) - 1)}


def grams_of(name: str, address: str) -> list[str]:
    """What the index keeps of a customer: bigrams of both normalised texts, the address's marked."""
    return sorted(bigrams(name) | {ADDRESS + gram for gram in bigrams(address)})
