"""What `make run` adds to the product: pages of this machine, and the demo."""

import httpx
import pytest

from highsea_local.demo import seed, story
from highsea_local.files import write_json
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def test_the_story_of_the_demo_can_be_told_again_and_again(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = whole.system.home
    logins = [{**one, "password": seed.PASSWORD} for one in whole.logins]
    write_json(home.demo_report, {"logins": logins})
    monkeypatch.setenv("HIGHSEA_HOME", str(home.path))

    assert [story.main(), story.main()] == [0, 0], capsys.readouterr().err
    assert "409 already_owned" in capsys.readouterr().out


def test_landing_page_and_mailbox_answer_at_the_gateway(whole: Whole) -> None:
    for path in ("/", "/local/mail"):
        reply = httpx.get(f"{whole.system.gateway_url}{path}", follow_redirects=True)
        assert reply.status_code == 200
        assert "Highsea" in reply.text
