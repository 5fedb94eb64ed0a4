"""Customers are imported for those alone whom the importer reaches (H-12)."""

import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def test_a_row_whose_owner_is_out_of_reach_fails_and_says_whom_to_name_instead(whole: Whole) -> None:
    shanghai, mark = whole.person("supervisor", 1), new_id().hex
    content = f"客户名称,负责人\n近处{mark},zhang.wei\n远处{mark},lin.xiaofeng\n".encode()

    done = steps.run_import(shanghai, shanghai.upload("/imports", "客户.csv", content), {"mode": "create_only"})

    assert (done.job["created"], done.job["failed"]) == (1, 1)
    [failed] = shanghai.get(f"/imports/{done.job['id']}/rows", outcome="failed")["items"]
    assert (failed["row_number"], failed["problems"][0]["code"]) == (3, "owner_out_of_reach")
    assert "lin.xiaofeng 不在您的数据权限范围内" in failed["problems"][0]["message"]
