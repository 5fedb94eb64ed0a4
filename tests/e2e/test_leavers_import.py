"""What somebody had waiting to be imported ends when they leave, whether or not a worker runs."""

import pytest

from highsea_local.demo.gateway import until
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def test_a_waiting_import_ends_with_its_importer_and_a_mere_upload_is_left_to_administrators(whole: Whole) -> None:
    admin, leaver = whole.person("administrator"), whole.hire("sales", "离职者")
    until(lambda: leaver.get("/imports"))
    uploaded, waiting = (leaver.upload("/imports", f"{name}.csv", "客户名称\n甲\n".encode()) for name in ("传", "等"))
    with whole.without("import-process"):
        leaver.post(f"/imports/{waiting['id']}:start")
        admin.post(f"/members/{leaver.id}:deactivate")
        ended = until(lambda: (job := admin.get(f"/imports/{waiting['id']}"))["status"] == "failed" and job)

    assert (ended["failure_code"], ended["total"], ended["created"]) == ("importer_not_allowed", 0, 0)
    assert admin.get(f"/imports/{uploaded['id']}")["status"] == "uploaded"
