"""The composition root of identity: everything it does."""

from chassis.events.streams import event_stream
from chassis.http.auditing import audit_api
from chassis.service import Service
from crm_identity.actors import OwnActors
from crm_identity.console import create_administrator, ensure_administrator, explaining, rotate_key
from crm_identity.database import Base
from crm_identity.demo import seed_demo
from crm_identity.foundations import ENSURE_FOUNDATIONS
from crm_identity.keys.due import ADVANCE_KEYS
from crm_identity.keys.http import api as keys_api
from crm_identity.keys.model import KeySetVersion
from crm_identity.members.http import api as members_api
from crm_identity.organisation.http import api as organisation_api
from crm_identity.organisation.model import Department, Member, Organisation, Role
from crm_identity.organisation.rpc import register
from crm_identity.sessions.due import FORGET_SESSIONS
from crm_identity.sessions.http import api as sessions_api
from crm_identity.settings import Settings

SERVICE = Service(
    name="identity",
    settings=Settings,
    actors=OwnActors(),
    apis=[sessions_api, keys_api, members_api, organisation_api, audit_api("identity")],
    migrations=["crm_identity.migrations"],
    metadatas=[Base.metadata],
    messages=["crm_identity"],
    versions=[Organisation.version, Department.version, Role.version, Member.version, KeySetVersion.version],
    streams=[event_stream("identity")],
    due=[ENSURE_FOUNDATIONS, ADVANCE_KEYS, FORGET_SESSIONS],
    register_rpc=[register],
    commands={
        "create-administrator": explaining(create_administrator),
        "rotate-key": explaining(rotate_key),
        "seed-demo": explaining(seed_demo),
    },
    after_migrate=[explaining(ensure_administrator)],
)
