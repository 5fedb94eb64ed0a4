"""Models, migrations and words agree."""

import re
import tomllib
from pathlib import Path

import crm_pool
from chassis.database import tables
from chassis.database.migration import schema_differences
from crm_pool.service import SERVICE
from tests.support.services import Opener

SOURCE = Path(crm_pool.__path__[0])


def test_models_and_migrations_agree(services: Opener) -> None:
    with services.open(SERVICE) as opened, opened.database.engine.connect() as connection:
        assert schema_differences(connection, [tables.metadata, *SERVICE.metadatas]) == []


def test_every_code_has_words_in_both_languages() -> None:
    words = [tomllib.loads((SOURCE / "messages" / f"{language}.toml").read_text()) for language in ("zh", "en")]
    common = tomllib.loads((Path(tables.__file__).parents[1] / "messages" / "zh.toml").read_text())
    code = re.compile(r"(?:Conflict|NotFound|Invalid|Stale|Malformed)\(\s*\"(\w+)\"|FieldError\([^,]+, \"(\w+)\"")
    found = {first or second for path in SOURCE.rglob("*.py") for first, second in code.findall(path.read_text())}

    assert words[0].keys() == words[1].keys()
    assert found - common.keys() <= words[0].keys()
    assert len(found) > 15
