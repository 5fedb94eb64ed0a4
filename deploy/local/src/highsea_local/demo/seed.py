"""What `make run` does once: a demo organisation, a really imported workbook, the first claims and assignments."""

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from highsea_local.demo import steps
from highsea_local.demo.gateway import Person, until
from highsea_local.demo.workbook import BUNDLED
from highsea_local.files import write_json
from highsea_local.home import Home
from highsea_local.system import attach, run_command

PASSWORD = "highsea-demo-1"  # noqa: S105 - a demo account on the loopback address
SOURCE = "customers.xlsx"
ERRORS = "import-errors.xlsx"
_SEES = {
    "administrator": {"zh": "全公司", "en": "the whole company"},
    "operations": {"zh": "所在中心及全部客户池", "en": "their centre and every pool"},
    "supervisor": {"zh": "本部门及下级的客户、全部客户池", "en": "their department and below, every pool"},
    "sales": {"zh": "自己的客户和公海（联系方式领取后可见）", "en": "their own customers and the public pool"},
}
_TITLES = {
    "administrator": {"zh": "企业管理员", "en": "administrator"},
    "operations": {"zh": "运营", "en": "operations"},
    "supervisor": {"zh": "销售主管", "en": "sales supervisor"},
    "sales": {"zh": "销售", "en": "sales"},
}


def main() -> int:
    """Seed unless it was done before. Returns the exit status; the report tells the landing page what happened."""
    home = Home(Path(os.environ["HIGHSEA_HOME"]))
    if _was_done(home):
        return 0
    report: dict[str, Any] = {}
    try:
        _seed(home, report)
    except Exception as error:
        report["error"] = {"zh": f"演示数据未完成：{error}", "en": f"The demo data is not complete: {error}"}
        print(report["error"]["en"], file=sys.stderr)
        return 1
    finally:
        write_json(home.demo_report, report)
    return 0


def _was_done(home: Home) -> bool:
    try:
        return "error" not in json.loads(home.demo_report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _seed(home: Home, report: dict[str, Any]) -> None:
    url = os.environ["PUBLIC_URL"]
    people = _organisation(home)
    report["logins"] = [
        {
            "name": one["name"],
            "login": one["login"],
            "password": PASSWORD,
            "title": _TITLES[one["role"]],
            "sees": _SEES[one["role"]],
            "role": one["role"],
            "department": one["department"],
        }
        for one in people
    ]
    by_role = {role: [one["login"] for one in people if one["role"] == role] for role in _TITLES}
    operations = until(lambda: Person(url, by_role["operations"][0], PASSWORD))
    pool = until(lambda: steps.public_pool(operations))
    report["import"] = _import(home, operations, pool["id"])
    report["story"] = _story(url, by_role, pool)


def _organisation(home: Home) -> list[dict[str, Any]]:
    done = run_command(attach(home.path), "identity", ["seed-demo"])
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    people: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[{") :])
    return people


def _import(home: Home, operations: Person, pool_id: str) -> dict[str, Any]:
    started = time.monotonic()
    done = steps.import_workbook(operations, SOURCE, BUNDLED.read_bytes(), pool_id)
    shutil.copyfile(BUNDLED, home.demo / SOURCE)
    (home.demo / ERRORS).write_bytes(done.error_workbook)
    counts = {name: done.job[name] for name in ("created", "updated", "skipped", "failed")}
    return {
        "file": SOURCE,
        "source_file": SOURCE,
        "error_workbook": ERRORS,
        "rows": done.job["total"],
        "seconds": round(time.monotonic() - started, 1),
        "status": done.job["status"],
        **counts,
    }


def _story(url: str, by_role: dict[str, list[str]], pool: dict[str, Any]) -> list[dict[str, str]]:
    supervisor = Person(url, by_role["supervisor"][0], PASSWORD)
    first, second = (Person(url, login, PASSWORD) for login in by_role["sales"][:2])
    in_pool = first.get("/customers", pool_id=pool["id"], page_size=20)
    ids = [customer["id"] for customer in in_pool["items"]]
    steps.placed(first, ids[:11])
    claimed = steps.claim(first, ids[:5])
    refusal = steps.refused_claim(second, ids[0])
    assigned = steps.assign(supervisor, ids[5:11], [first, second])
    steps.unread(second)
    steps.told_by_mail(url, str(second.member["email"]))
    return [
        {
            "zh": f"{pool['name']}里有 {in_pool['total']} 位客户",
            "en": f"{in_pool['total']} customers lie in the pool {pool['name']}",
        },
        {"zh": f"{first.name} 领取了 {claimed['succeeded']} 位", "en": f"{first.name} claimed {claimed['succeeded']}"},
        {
            "zh": f"{second.name} 再领取同一位时被拒绝：{refusal.problem['detail']}",
            "en": f"{second.name} was refused the same one ({refusal.status} {refusal.code})",
        },
        {
            "zh": f"{supervisor.name} 把另外 {assigned['succeeded']} 位轮流分配给 {first.name} 和 {second.name}",
            "en": f"{supervisor.name} assigned {assigned['succeeded']} others to {first.name} and {second.name} in turn",
        },
        {
            "zh": "他们在应用内和邮件中都收到了通知：打开邮箱看看",
            "en": "Both were told in the app and by e-mail: see the mailbox",
            "link": "/local/mail",
        },
        {"zh": "在终端运行 make demo，再看一遍完整过程", "en": "Run make demo in a terminal to watch it all again"},
    ]


if __name__ == "__main__":
    sys.exit(main())
