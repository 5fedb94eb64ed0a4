# /// script
# requires-python = ">=3.11"
# dependencies = ["Django==5.2.8", "django-import-export[xlsx]==4.3.14", "psycopg[binary]==3.3.9"]
# ///
"""django-import-export at the same work: a workbook, row by row, into one table with 20 text columns and their indexes.

Arguments: a database URL, the workbook. Prints the seconds that the import took.
"""

import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings

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

from django.db import connection, models  # noqa: E402
from import_export import resources  # noqa: E402
from import_export.formats.base_formats import XLSX  # noqa: E402

content = Path(sys.argv[2]).read_bytes()
names = [f"c{place}" for place in range(len(XLSX().create_dataset(content).headers))]


class Rival(models.Model):  # noqa: DJ008
    for name in names:
        locals()[name] = models.TextField(blank=True, default="")

    class Meta:
        app_label = "import_export"
        indexes = [models.Index(fields=["c0"], name="rival_c0"), models.Index(fields=["c15"], name="rival_c15")]


class RivalResource(resources.ModelResource):
    class Meta:
        model = Rival
        import_id_fields = ["c15"]
        fields = names


with connection.schema_editor() as editor:
    editor.create_model(Rival)
with connection.cursor() as cursor:
    cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    cursor.execute("CREATE INDEX rival_trigrams ON import_export_rival USING gin (c0 gin_trgm_ops)")

started = time.perf_counter()
dataset = XLSX().create_dataset(content)
dataset.headers = names
result = RivalResource().import_data(dataset, dry_run=False, raise_errors=True)
print(time.perf_counter() - started)
