"""The composition root of notify."""

from chassis.http.auditing import audit_api
from chassis.service import Service
from crm_notify.announcements.due import TELL_ANNOUNCED
from crm_notify.announcements.http import api as announcements_api
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.batches.events import CUSTOMER_BATCHES
from crm_notify.collaborations.events import COLLABORATIONS
from crm_notify.collisions.events import COLLISIONS
from crm_notify.database import Base
from crm_notify.deliveries.http import api as deliveries_api
from crm_notify.explaining.http import api as explaining_api
from crm_notify.imports.events import IMPORTS
from crm_notify.mailing_attachments.due import FORGET_ATTACHMENTS
from crm_notify.mailing_attachments.http import api as mailing_attachments_api
from crm_notify.mailings.due import COLLECT_RECIPIENTS, FINISH_MAILINGS, FORGET_MAILINGS, MEASURE_MAILINGS
from crm_notify.mailings.http import api as mailings_api
from crm_notify.member_messages.http import api as member_messages_api
from crm_notify.merges.events import MERGES
from crm_notify.message_templates.http import api as message_templates_api
from crm_notify.message_templates.model import MessageTemplate
from crm_notify.notifications.due import FORGET_OLD, WAKE_SNOOZED
from crm_notify.notifications.http import api as notifications_api
from crm_notify.preferences.http import api as preferences_api
from crm_notify.preferences.model import PreferenceDefaults, Preferences
from crm_notify.push.events import DIRECTORY
from crm_notify.push.http import api as push_api
from crm_notify.push.role import push_role
from crm_notify.recycling.events import RECYCLING
from crm_notify.resending.http import api as resending_api
from crm_notify.reveals.events import REVEALS
from crm_notify.robots.http import api as robots_api
from crm_notify.robots.model import Robot
from crm_notify.sending.due import LOSE_TRACK, MEASURE_DELIVERIES, SEND_MAIL
from crm_notify.sending.robots import SEND_TO_ROBOTS
from crm_notify.sending.sms import SEND_SMS
from crm_notify.settings import Settings
from crm_notify.suppressions.http import api as suppressions_api
from crm_notify.unsubscribing.http import api as unsubscribing_api
from crm_notify.work.events import WORK
from directory.actors import DirectoryActors
from directory.events import directory_projection
from directory.tables import metadata as directory_metadata

MIGRATIONS = ("directory.migrations", "crm_notify.migrations")

SERVICE = Service(
    name="notify",
    settings=Settings,
    actors=DirectoryActors(),
    apis=[
        notifications_api,
        push_api,
        deliveries_api,
        suppressions_api,
        resending_api,
        explaining_api,
        preferences_api,
        member_messages_api,
        announcements_api,
        message_templates_api,
        robots_api,
        mailings_api,
        mailing_attachments_api,
        unsubscribing_api,
        audit_api("notify"),
    ],
    migrations=MIGRATIONS,
    metadatas=[Base.metadata, directory_metadata],
    messages=["batch", "crm_notify"],
    versions=[Preferences.version, PreferenceDefaults.version, MessageTemplate.version, Robot.version],
    subscriptions=[
        DIRECTORY,
        ASSIGNMENTS,
        COLLABORATIONS,
        COLLISIONS,
        CUSTOMER_BATCHES,
        IMPORTS,
        MERGES,
        RECYCLING,
        REVEALS,
        WORK,
    ],
    projections=[directory_projection()],
    due=[
        SEND_MAIL,
        SEND_TO_ROBOTS,
        SEND_SMS,
        LOSE_TRACK,
        MEASURE_DELIVERIES,
        WAKE_SNOOZED,
        FORGET_OLD,
        TELL_ANNOUNCED,
        COLLECT_RECIPIENTS,
        FINISH_MAILINGS,
        FORGET_MAILINGS,
        MEASURE_MAILINGS,
        FORGET_ATTACHMENTS,
    ],
    roles={"push": push_role(MIGRATIONS)},
)
