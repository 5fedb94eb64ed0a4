"""One sample of every message of the event contracts; a field's value follows from its name and type alone."""

import importlib
import re
import zlib
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.support.repository import ROOT

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}


def event_messages() -> Iterator[type[Message]]:
    """Every message of every `*_events.proto`."""
    for path in sorted(ROOT.glob("proto/crm/*/v1/*_events.proto")):
        name = ".".join(path.relative_to(ROOT / "proto").with_suffix("").parts)
        module = importlib.import_module(f"{name}_pb2")
        for message in re.findall(r"^message (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield getattr(module, message)


def sample(message_type: type[Message]) -> Message:
    """A message with every field set; of alternatives the first."""
    message = message_type()
    if message_type.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        message.seconds = 1_769_846_400  # type: ignore[attr-defined]  # 2026-01-31T08:00:00Z
        return message
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is None or field is field.containing_oneof.fields[0]:
            _set(message, field)
    return message


def _set(message: Message, field: FieldDescriptor) -> None:
    target = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        target[field.name] = _value(value)
    elif field.is_repeated:
        target.append(_value(field)) if field.message_type is None else target.add().CopyFrom(_value(field))
    elif field.message_type is not None:
        target.CopyFrom(_value(field))
    else:
        setattr(message, field.name, _value(field))


def _value(field: FieldDescriptor) -> Any:
    if field.message_type is not None:
        return sample(field.message_type._concrete_class)
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    if field.cpp_type in _INTEGERS:
        return zlib.crc32(field.name.encode()) % 1000 + 1
    return {
        FieldDescriptor.CPPTYPE_STRING: field.name
        if field.type == FieldDescriptor.TYPE_STRING
        else field.name.encode(),
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_DOUBLE: 0.5,
        FieldDescriptor.CPPTYPE_FLOAT: 0.5,
    }[field.cpp_type]
