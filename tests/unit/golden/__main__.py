"""`.venv/bin/python -m tests.unit.golden`: write the bytes of every event message as this release serialises them.

Run it when a message was added or got a field, and read the difference: bytes that were there must stay as they were.
"""

from pathlib import Path

from tests.support.samples import event_messages, sample

FOLDER = Path(__file__).parent


def main() -> None:
    """Write all, and delete those of messages that are gone."""
    written = set()
    for message_type in event_messages():
        path = FOLDER / f"{message_type.DESCRIPTOR.full_name}.binpb"
        path.write_bytes(sample(message_type).SerializeToString(deterministic=True))
        written.add(path)
    for path in set(FOLDER.glob("*.binpb")) - written:
        path.unlink()


if __name__ == "__main__":
    main()
