"""Runs the named measurements, all without names."""

import sys

from bench import claim, duplicates, idle, imports, lists, notify, recycle, search, tracing

MEASUREMENTS = {
    "imports": imports.main,
    "lists": lists.main,
    "search": search.main,
    "claim": claim.main,
    "recycle": recycle.main,
    "duplicates": duplicates.main,
    "notify": notify.main,
    "idle": idle.main,
    "tracing": tracing.main,
}


def main(names: list[str]) -> int:
    """Run them one after the other. Returns 2 for an unknown name."""
    unknown = sorted(set(names) - set(MEASUREMENTS))
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    for name in names or MEASUREMENTS:
        sys.argv[1:] = []  # names are no sizes, which each reads when it is run alone
        MEASUREMENTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
