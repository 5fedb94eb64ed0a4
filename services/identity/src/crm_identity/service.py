"""The composition root of identity: everything it does."""

import threading

import grpc

from chassis.events.streams import event_stream
from chassis.http.auditing import audit_api
from chassis.runtime import Runtime
from chassis.service import Service
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer, add_IdentityServiceServicer_to_server
from crm_identity.absences.due import ADVANCE_ABSENCES
from crm_identity.absences.http import api as absences_api
from crm_identity.actors import OwnActors
from crm_identity.calendar.http import api as calendar_api
from crm_identity.console import create_administrator, ensure_administrator, explaining, rotate_key
from crm_identity.database import Base
from crm_identity.demo import seed_demo
from crm_identity.departments.http import api as departments_api
from crm_identity.foundations import ENSURE_FOUNDATIONS
from crm_identity.groups.http import api as groups_api
from crm_identity.holdings.http import api as holdings_api
from crm_identity.imports.due import FORGET_ANSWERS
from crm_identity.imports.rpc import BulkWrites
from crm_identity.keys.due import ADVANCE_KEYS
from crm_identity.keys.http import api as keys_api
from crm_identity.keys.model import KeySetVersion
from crm_identity.members.http import api as members_api
from crm_identity.organisation.http import api as organisation_api
from crm_identity.organisation.model import Department, Group, Member, Organisation, Role
from crm_identity.organisation.rpc import Export
from crm_identity.sessions.due import FORGET_SESSIONS
from crm_identity.sessions.http import api as sessions_api
from crm_identity.settings import Settings


class _IdentityService(Export, BulkWrites, IdentityServiceServicer):
    """IdentityService, each feature answering its own methods."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.slot = threading.Lock()


def _register(server: grpc.Server, runtime: Runtime) -> None:
    add_IdentityServiceServicer_to_server(_IdentityService(runtime), server)


SERVICE = Service(
    name="identity",
    settings=Settings,
    actors=OwnActors(),
    apis=[
        sessions_api,
        keys_api,
        members_api,
        absences_api,
        groups_api,
        departments_api,
        organisation_api,
        calendar_api,
        holdings_api,
        audit_api("identity"),
    ],
    migrations=["crm_identity.migrations"],
    metadatas=[Base.metadata],
    messages=["crm_identity"],
    versions=[
        Organisation.version,
        Department.version,
        Role.version,
        Member.version,
        Group.version,
        KeySetVersion.version,
    ],
    streams=[event_stream("identity")],
    due=[ENSURE_FOUNDATIONS, ADVANCE_KEYS, FORGET_SESSIONS, ADVANCE_ABSENCES, FORGET_ANSWERS],
    register_rpc=[_register],
    commands={
        "create-administrator": explaining(create_administrator),
        "rotate-key": explaining(rotate_key),
        "seed-demo": explaining(seed_demo),
    },
    after_migrate=[explaining(ensure_administrator)],
)
