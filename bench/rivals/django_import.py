# /// script
# requires-python = ">=3.11"
# dependencies = ["Django==5.2.8", "django-import-export[xlsx]==4.3.14", "psycopg[binary]==3.3.9"]
# ///
"""django-import-export at the same work: a workbook, row by row, into customer's own tables with all their indexes; and for
comparison into one table with 19 text columns and three indexes.

Arguments: the URL of customer's database as its owner, the workbook. Prints the seconds that each import took: `facts`,
`one_table`. What Highsea does besides, it need not: checking and repairing cells, looking for duplicates by name and mobile,
initials for the search, places in pool's database, a stored result for each row.
"""

import json
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.utils import timezone

url = urlsplit(sys.argv[1])
settings.configure(
    INSTALLED_APPS=["import_export"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path[1:],
            "USER": url.username,
            "PASSWORD": url.password,
            "HOST": url.hostname,
            "PORT": url.port,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402
from django.db import connection, models  # noqa: E402
from import_export import resources  # noqa: E402
from import_export.formats.base_formats import XLSX  # noqa: E402

# The workbook's columns: a customer's, or with `contact_` its first contact's.
COLUMNS = (
    *("name", "industry", "source", "company_nature", "postcode", "annual_turnover", "level", "province", "city"),
    *("address_detail", "contact_name", "contact_salutation", "contact_email", "contact_position", "contact_qq"),
    *("contact_mobile", "contact_remark", "employee_count", "remark"),
)
SOMEBODY = uuid.uuid4()


def texts(names):
    return {name: models.TextField(default="") for name in names}


def table(name, columns):
    """A model of a table that there is."""
    meta = type("Meta", (), {"app_label": "import_export", "managed": False, "db_table": name})
    return type(name.title(), (models.Model,), {"__module__": __name__, "Meta": meta, **columns})


def key():
    return models.UUIDField(primary_key=True, default=uuid.uuid4)


def who():
    return models.UUIDField(default=SOMEBODY)


def when(*names):
    return {name: models.DateTimeField(default=timezone.now) for name in names}


def version(*names):
    return {name: models.BigIntegerField(default=1) for name in names}


OF_CUSTOMER = [name for name in COLUMNS if not name.startswith("contact_")]
OF_CONTACT = {name: name.removeprefix("contact_") for name in COLUMNS if name.startswith("contact_")}

Customer = table(
    "customers",
    texts(OF_CUSTOMER)
    | {"id": key(), "pool_id": who(), "created_by": who()}
    | version("version", "facts_version", "assignment_version")
    | when("held_since", "created_at", "updated_at"),
)
CustomerSearch = table(
    "customer_search", texts(["name", "address"]) | {"customer_id": key(), "grams": ArrayField(models.TextField())}
)
Contact = table(
    "contacts",
    texts(OF_CONTACT.values())
    | {"id": key(), "customer_id": who(), "created_by": who()}
    | when("created_at", "updated_at"),
)
Link = table(
    "customer_contacts",
    {
        "pk": models.CompositePrimaryKey("customer_id", "contact_id"),
        "customer_id": who(),
        "contact_id": who(),
        "is_primary": models.BooleanField(default=True),
    },
)
ContactSearch = table(
    "contact_search", texts(["name"]) | {"contact_id": key(), "grams": ArrayField(models.TextField())}
)


class Facts(resources.ModelResource):
    """A customer with its search and its first contact."""

    class Meta:
        model = Customer
        import_id_fields = ()
        force_init_instance = True
        fields = OF_CUSTOMER

    def after_save_instance(self, instance, row, **kwargs):
        address = instance.province + instance.city + instance.address_detail
        CustomerSearch.objects.create(
            customer_id=instance.id, name=instance.name, address=address, grams=pairs(instance.name) + pairs(address)
        )
        filled = {own: row[name] or "" for name, own in OF_CONTACT.items()}
        contact = Contact.objects.create(customer_id=instance.id, **filled)
        Link.objects.create(customer_id=instance.id, contact_id=contact.id)
        ContactSearch.objects.create(contact_id=contact.id, name=contact.name, grams=pairs(contact.name))


def pairs(text):
    return [text[at : at + 2] for at in range(len(text) - 1)]


class Row(models.Model):  # noqa: DJ008
    for column in COLUMNS:
        locals()[column] = models.TextField(blank=True, default="")

    class Meta:
        app_label = "import_export"
        indexes = [
            models.Index(fields=["name"], name="rival_name"),
            models.Index(fields=["contact_mobile"], name="rival_mobile"),
        ]


class OneTable(resources.ModelResource):
    class Meta:
        model = Row
        import_id_fields = ["contact_mobile"]
        fields = COLUMNS


def seconds(resource):
    started = time.perf_counter()
    dataset = XLSX().create_dataset(content)
    dataset.headers = COLUMNS
    resource.import_data(dataset, dry_run=False, raise_errors=True)
    return time.perf_counter() - started


content = Path(sys.argv[2]).read_bytes()
with connection.schema_editor() as editor:
    editor.create_model(Row)
with connection.cursor() as cursor:
    cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    cursor.execute("CREATE INDEX rival_trigrams ON import_export_row USING gin (name gin_trgm_ops)")
    cursor.execute("TRUNCATE customers, customer_search, contacts, customer_contacts, contact_search CASCADE")
try:
    print(json.dumps({"facts": seconds(Facts()), "one_table": seconds(OneTable())}))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers JOIN customer_contacts ON customer_id = id")
        assert cursor.fetchone() == (len(XLSX().create_dataset(content)),)
finally:
    with connection.schema_editor() as editor:
        editor.delete_model(Row)
