"""A tiny service built on the chassis, for its tests: notes that people write down."""

from uuid import UUID

from pydantic import Field
from sqlalchemy import BigInteger, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from chassis.auth.actors import Actor
from chassis.database import new_metadata
from chassis.errors import Conflict, NotFound, Stale
from chassis.events.outbox import record_event
from chassis.http.api import Access, Api, Body, Page, PageQuery, View
from chassis.http.auditing import audit_api
from chassis.http.call import Call
from chassis.identifiers import new_id
from chassis.roles.bulk import bulk
from chassis.runtime import Runtime
from chassis.service import Service
from chassis.settings import ServiceSettings
from crm.imports.v1.imports_events_pb2 import SplitRequested
from directory.actors import DirectoryActors
from directory.tables import metadata as directory_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger)


class NewNote(Body):
    text: str = Field(min_length=1, max_length=10)
    tags: list[str] = []


class NoteView(View):
    id: UUID
    text: str
    version: int


class NoteQuery(PageQuery):
    tag: list[str] = []


api = Api("notes")


@api.route(
    "POST",
    "/notes",
    access="customer.create",
    summary="Write a note",
    body=NewNote,
    reply=NoteView,
    status=201,
    idempotent=True,
    versioned=True,
)
def write_note(call: Call[NewNote, None]) -> NoteView:
    return call.command(lambda session: _write(session, call.actor, call.body))


def _write(session: Session, _actor: Actor, body: NewNote) -> NoteView:
    if body.text == "forbidden":
        raise Conflict("stale_version")
    note = Note(id=new_id(), text=body.text, version=1)
    session.add(note)
    session.flush()
    record_event(session, SplitRequested(job_id=str(note.id)))
    return NoteView.model_validate(note)


@api.route("GET", "/notes", access=Access.MEMBER, summary="List notes", query=NoteQuery, reply=Page[NoteView])
def list_notes(call: Call[None, NoteQuery]) -> Page[NoteView]:
    with call.runtime.database.reading() as session:
        found = [NoteView.model_validate(note) for note in session.scalars(select(Note).order_by(Note.id))]
    return Page[NoteView](items=found, page=1, page_size=15, total=len(found))


@api.route(
    "PUT",
    "/notes/<uuid:note_id>",
    access="customer.update",
    summary="Change a note",
    body=NewNote,
    reply=NoteView,
    versioned=True,
)
def change_note(call: Call[NewNote, None], note_id: UUID) -> NoteView:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        note = session.get(Note, note_id, with_for_update=True)
        if note is None:
            raise NotFound("not_found")
        if note.version != expected:
            raise Stale("stale_version")
        note.text, note.version = call.body.text, note.version + 1
        return NoteView.model_validate(note)


@api.route("GET", "/notes/<uuid:note_id>", access=Access.MEMBER, summary="Read a note", reply=NoteView, versioned=True)
def read_note(call: Call[None, None], note_id: UUID) -> NoteView:
    with call.runtime.database.reading() as session:
        note = session.get(Note, note_id)
        if note is None:
            raise NotFound("not_found")
        return NoteView.model_validate(note)


@api.route("GET", "/notes/broken", access=Access.ANYONE, summary="Break")
def break_down(_call: Call[None, None]) -> NoteView:
    raise RuntimeError("secret detail")


def _bulk(runtime: Runtime) -> None:
    bulk(SAMPLE, runtime)


SAMPLE: Service = Service(
    name="customer",
    settings=ServiceSettings,
    actors=DirectoryActors(),
    apis=[api, audit_api("customer")],
    migrations=["directory.migrations"],
    metadatas=[Base.metadata, directory_metadata],
    messages=[],
    versions=[Note.version],
    roles={"bulk": _bulk},
)
