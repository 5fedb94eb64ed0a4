"""Memory of the whole system idle on one machine, limit 2 GB of PSS (design §8, last row)."""

from bench.running import family, resident_megabytes, whole_system

LIMIT_MEGABYTES = 2000


def main() -> None:
    """Start the system and print what each process holds."""
    with whole_system() as whole:
        sizes = {
            name: resident_megabytes(family(whole.system, name))
            for name, status in whole.system.supervisor.statuses.items()
            if status.pid
        }
    print(f"\n{'process':<24}{'PSS MB':>10}")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{name:<24}{size:>10.0f}")
    print(f"{'all':<24}{sum(sizes.values()):>10.0f}   limit {LIMIT_MEGABYTES}")


if __name__ == "__main__":
    main()
