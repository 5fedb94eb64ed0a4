"""The composition root: everything the customer service plugs into the chassis."""

import threading
from typing import cast

import grpc

from batch.http import batch_api
from batch.tables import metadata as batch_metadata
from batch.work import batch_tasks
from chassis.events.streams import event_stream
from chassis.http.auditing import audit_api
from chassis.roles.bulk import bulk
from chassis.runtime import Runtime
from chassis.service import Service
from crm.customer.v1.customer_service_pb2_grpc import (
    CustomerServiceServicer,
    add_CustomerServiceServicer_to_server,
)
from crm_customer.activities import http as activities_http
from crm_customer.activities.model import Activity
from crm_customer.activities.rpc import HandoverCards
from crm_customer.activity_imports.rpc import ActivityImports
from crm_customer.batches import http as batches_http
from crm_customer.batches.due import CUSTOMER_BATCHES
from crm_customer.calls import http as calls_http
from crm_customer.calls.due import FORGET_CALLS
from crm_customer.collaborators import http as collaborators_http
from crm_customer.collaborators.due import END_COLLABORATIONS
from crm_customer.collisions import http as collisions_http
from crm_customer.collisions.model import Collision
from crm_customer.contact_imports.rpc import ContactImports
from crm_customer.contact_list import http as contact_list_http
from crm_customer.contacts.model import Contact
from crm_customer.creation import http as creation_http
from crm_customer.customers import http as customers_http
from crm_customer.customers.model import Customer
from crm_customer.database import Base
from crm_customer.dictionaries import http as dictionaries_http
from crm_customer.dictionaries.model import DictionaryOption
from crm_customer.dispatches import http as dispatches_http
from crm_customer.dispatches.due import DISPATCHES
from crm_customer.duplicate_scans import http as duplicate_scans_http
from crm_customer.duplicate_scans.due import SCANS
from crm_customer.duplicate_scans.model import DuplicateGroup, DuplicateScan
from crm_customer.duplicate_settings import http as duplicate_settings_http
from crm_customer.duplicate_settings.model import DuplicateSettings
from crm_customer.duplicates import http as duplicates_http
from crm_customer.duplicates.due import FORGET_CHECKS
from crm_customer.effects.due import CATCH_UP
from crm_customer.effects.events import ASSIGNMENTS, ASSIGNMENTS_PROJECTION
from crm_customer.effects.rpc import Places
from crm_customer.exports.rpc import EXPORTS_AT_ONCE, Exports
from crm_customer.fields import http as fields_http
from crm_customer.fields.due import FIELD_TASKS
from crm_customer.fields.model import CustomField
from crm_customer.fields.rpc import CustomFields
from crm_customer.files import http as files_http
from crm_customer.files.due import CLEAN_UP_FILES
from crm_customer.history import http as history_http
from crm_customer.import_undo.rpc import ImportUndo
from crm_customer.imports.chunks import Admission
from crm_customer.imports.due import FORGET_ANSWERS
from crm_customer.imports.rpc import BulkWrites
from crm_customer.listing import http as listing_http
from crm_customer.listing.rpc import Reads
from crm_customer.locking import http as locking_http
from crm_customer.marking import http as marking_http
from crm_customer.merging import http as merging_http
from crm_customer.merging.model import Merge
from crm_customer.opportunities import http as opportunities_http
from crm_customer.opportunities.model import Opportunity, OpportunitySettings
from crm_customer.opportunity_list import http as opportunity_list_http
from crm_customer.orders import http as orders_http
from crm_customer.orders.model import Order, Receivable
from crm_customer.ownership.events import OWNER_DEPARTMENTS, POOLS, POOLS_PROJECTION
from crm_customer.payments import http as payments_http
from crm_customer.people import http as people_http
from crm_customer.products import http as products_http
from crm_customer.products.model import Product
from crm_customer.recipients.rpc import Recipients
from crm_customer.relations import http as relations_http
from crm_customer.reminders import http as reminders_http
from crm_customer.reminders.due import REMINDERS
from crm_customer.reminders.model import ReminderSettings
from crm_customer.reveals import http as reveals_http
from crm_customer.reveals.due import FORGET_REVEALS
from crm_customer.schedules import http as schedules_http
from crm_customer.schedules.model import ScheduleEntry
from crm_customer.search.due import FILL_SEARCH
from crm_customer.settings import Settings
from crm_customer.tags import http as tags_http
from crm_customer.tags.model import Tag, TagGroup
from crm_customer.tasks import http as tasks_http
from crm_customer.tasks.model import Task
from crm_customer.timeline import http as timeline_http
from crm_customer.views import http as views_http
from crm_customer.views.model import SavedFilter
from directory.actors import DirectoryActors
from directory.events import directory_projection, directory_subscription
from directory.permissions import Permission
from directory.tables import metadata as directory_metadata


class _CustomerService(
    Reads,
    Places,
    BulkWrites,
    ContactImports,
    ActivityImports,
    ImportUndo,
    Exports,
    CustomFields,
    HandoverCards,
    Recipients,
    CustomerServiceServicer,
):
    """CustomerService, each feature answering its own methods."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.bulk_writes = Admission(cast(Settings, runtime.settings).bulk_writes)
        self.export_slots = threading.BoundedSemaphore(EXPORTS_AT_ONCE)


def _register(server: grpc.Server, runtime: Runtime) -> None:
    add_CustomerServiceServicer_to_server(_CustomerService(runtime), server)


def _bulk(runtime: Runtime) -> None:
    bulk(SERVICE, runtime)


SERVICE: Service = Service(
    name="customer",
    settings=Settings,
    actors=DirectoryActors(),
    apis=[
        creation_http.api,
        customers_http.api,
        listing_http.api,
        history_http.api,
        collaborators_http.api,
        locking_http.api,
        people_http.api,
        relations_http.api,
        contact_list_http.api,
        duplicates_http.api,
        duplicate_settings_http.api,
        batches_http.api,
        batch_api("/customers", see_all=Permission.POOL_MANAGE),
        marking_http.api,
        merging_http.api,
        activities_http.api,
        timeline_http.api,
        files_http.api,
        opportunities_http.api,
        opportunity_list_http.api,
        tasks_http.api,
        dispatches_http.api,
        schedules_http.api,
        reminders_http.api,
        reveals_http.api,
        collisions_http.api,
        calls_http.api,
        duplicate_scans_http.api,
        tags_http.api,
        dictionaries_http.api,
        fields_http.api,
        products_http.api,
        orders_http.api,
        payments_http.api,
        views_http.api,
        audit_api("customer"),
    ],
    migrations=["directory.migrations", "batch.migrations", "crm_customer.migrations"],
    metadatas=[Base.metadata, directory_metadata, batch_metadata],
    messages=["batch", "crm_customer"],
    versions=[
        Customer.version,
        Customer.facts_version,
        Activity.version,
        Collision.version,
        Contact.version,
        CustomField.version,
        DictionaryOption.version,
        DuplicateGroup.version,
        DuplicateScan.version,
        DuplicateSettings.version,
        Merge.version,
        SavedFilter.version,
        Opportunity.version,
        OpportunitySettings.version,
        Order.version,
        Product.version,
        Receivable.version,
        ReminderSettings.version,
        ScheduleEntry.version,
        Tag.version,
        TagGroup.version,
        Task.version,
    ],
    streams=[event_stream("customer")],
    subscriptions=[directory_subscription("customer"), ASSIGNMENTS, POOLS, OWNER_DEPARTMENTS],
    projections=[directory_projection(), POOLS_PROJECTION, ASSIGNMENTS_PROJECTION],
    due=[
        FORGET_ANSWERS,
        FORGET_REVEALS,
        FORGET_CHECKS,
        FORGET_CALLS,
        CLEAN_UP_FILES,
        FILL_SEARCH,
        *FIELD_TASKS,
        CATCH_UP,
        END_COLLABORATIONS,
        *REMINDERS,
        *SCANS,
        *batch_tasks([*CUSTOMER_BATCHES, DISPATCHES]),
    ],
    register_rpc=[_register],
    roles={"bulk": _bulk},
)
