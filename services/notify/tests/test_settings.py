"""Settings that cannot work stop the start."""

import pytest
from pydantic import ValidationError

from crm_notify.settings import Settings
from tests.support.services import OpenService


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_url", "secret.example.test:25"),
        ("smtp_url", "http://user:secret@mail.example.test"),
        ("smtp_url", "smtp://user:secret@"),
        ("smtp_url", "smtp://user:secret@host:port"),
        ("mail_per_minute", -1),
        ("mail_from", "secret"),
        ("mail_from", "a@b\nBcc: secret@d"),
    ],
)
def test_a_wrong_mail_setting_stops_the_start_and_is_not_repeated(notify: OpenService, name: str, value: str) -> None:
    values = {**notify.runtime.settings.model_dump(), name: value}

    with pytest.raises(ValidationError) as refused:
        Settings(**values)

    assert [error["loc"] for error in refused.value.errors()] == [(name,)]
    assert "secret" not in refused.value.errors()[0]["msg"]
