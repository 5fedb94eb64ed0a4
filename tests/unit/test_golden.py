"""Events written by this release are read the same by the next: their bytes are kept."""

from pathlib import Path

import pytest
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from tests.support.samples import event_messages, sample

FOLDER = Path(__file__).parent / "golden"
MESSAGES = list(event_messages())
REMEDY = "changed contracts: run `.venv/bin/python -m tests.unit.golden` and see that no byte that was there changed"


@pytest.mark.parametrize("message_type", MESSAGES, ids=lambda message_type: message_type.DESCRIPTOR.full_name)
def test_kept_bytes_are_read_whole_and_written_again_alike(message_type: type[Message]) -> None:
    kept = (FOLDER / f"{message_type.DESCRIPTOR.full_name}.binpb").read_bytes()

    read = message_type.FromString(kept)

    assert _unknown(read) == []
    assert read.SerializeToString(deterministic=True) == kept
    assert read == sample(message_type), REMEDY


def test_every_kept_file_belongs_to_a_message() -> None:
    known = {message_type.DESCRIPTOR.full_name for message_type in MESSAGES}

    assert {path.stem for path in FOLDER.glob("*.binpb")} == known, REMEDY


def _unknown(message: Message) -> list[str]:
    found = [f"{message.DESCRIPTOR.name} {field.field_number}" for field in UnknownFieldSet(message)]
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                found += _unknown(part)
    return found
