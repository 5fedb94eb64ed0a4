"""`make demo`: the main job against the running system, told step by step with what it answered."""

import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import Person, Refused
from highsea_local.demo.workbook import workbook_bytes
from highsea_local.home import Home, default_home
from highsea_local.system import attach

_ROWS = 40
_WRONG = 3


class Story:
    """Prints numbered steps: what is done, by whom, and what the system answered."""

    def __init__(self) -> None:
        self._number = 0

    def step(self, zh: str, en: str, act: Callable[[], Any], tell: Callable[[Any], str]) -> Any:
        """Do one step and print it. Lets exceptions through."""
        self._number += 1
        print(f"\n{self._number}. {zh} / {en}")
        result = act()
        print(f"   → {tell(result)}")
        return result


def main() -> int:
    """Tell the story. Returns 0, or 1 with what to do when the system does not run or refuses."""
    home = Home(Path(os.environ.get("HIGHSEA_HOME") or default_home()))
    try:
        report = json.loads(home.demo_report.read_text(encoding="utf-8"))
        tell(attach(home.path).gateway_url, report["logins"])
    except (OSError, KeyError, ValueError, httpx.ConnectError) as error:
        print(
            f"系统未运行或没有演示数据，请先执行 make run / Start the system first: make run ({error})", file=sys.stderr
        )
        return 1
    except (Refused, TimeoutError) as error:
        print(f"   ✗ {error}", file=sys.stderr)
        return 1
    return 0


def tell(url: str, logins: list[dict[str, Any]]) -> None:
    """Do the main job at the gateway `url`; `logins` name role, login and password of each. Raises Refused, TimeoutError."""
    story, tag = Story(), _tag()

    def sign_in(role: str, place: int = 0) -> Person:
        chosen = [one for one in logins if one["role"] == role][place]
        return Person(url, chosen["login"], chosen["password"])

    operations, supervisor = sign_in("operations"), sign_in("supervisor")
    first, second = sign_in("sales"), sign_in("sales", 1)
    pool = steps.public_pool(operations)
    done = story.step(
        f"{operations.name}（运营）把 {_ROWS} 行的工作簿导入「{pool['name']}」，其中 {_WRONG} 行有错",
        f"operations imports a workbook of {_ROWS} rows into the public pool, {_WRONG} of them wrong",
        lambda: steps.import_workbook(operations, f"客户{tag}.xlsx", _workbook(tag), pool["id"]),
        lambda found: _counts(found.job),
    )
    story.step(
        "失败的行逐行说明原因",
        "each failed row says why",
        lambda: operations.get(f"/imports/{done.job['id']}/rows", outcome="failed")["items"],
        lambda found: "\n     ".join(json.dumps(row, ensure_ascii=False)[:200] for row in found),
    )
    found = story.step(
        f"{first.name}（销售）在公海里搜索这批客户；联系方式领取前不可见",
        "a salesperson finds them in the public pool; phones stay hidden before the claim",
        lambda: first.get("/customers", pool_id=pool["id"], search=tag, page_size=50),
        lambda page: f"{page['total']}: {_customer(page['items'][0])}",
    )
    ids = [customer["id"] for customer in found["items"]]
    steps.placed(first, ids[:11])
    story.step(
        f"{first.name} 领取其中 5 位",
        "claims five",
        lambda: steps.claim(first, ids[:5]),
        lambda answer: f"succeeded {answer['succeeded']}, skipped {answer['skipped']}",
    )
    story.step(
        f"{second.name} 也想领取其中一位：被拒绝并说明归谁",
        "another wants one of them: refused, and told who owns it",
        lambda: steps.refused_claim(second, ids[0]),
        lambda refusal: f"{refusal.status} {refusal.code}: {refusal.problem['detail']}",
    )
    story.step(
        f"{first.name} 现在能看到自己客户的电话",
        "the owner now sees the phone",
        lambda: first.get(f"/customers/{ids[0]}"),
        _customer,
    )
    story.step(
        f"{second.name} 打开别人的客户：查无此客户",
        "another's customer does not exist for a salesperson",
        lambda: _refusal(lambda: second.get(f"/customers/{ids[0]}")),
        lambda refusal: f"{refusal.status} {refusal.code}",
    )
    before = second.get("/notifications/unread-count")["unread"]
    mails = len(steps.mails_to(url, str(second.member["email"])))
    story.step(
        f"{supervisor.name}（主管）把另外 6 位轮流分配给两人，并以站内信和邮件告知",
        "the supervisor assigns six others in turn and has both told",
        lambda: steps.assign(supervisor, ids[5:11], [first, second]),
        lambda answer: "; ".join(f"{row['owner']['name']}" for row in answer["results"]),
    )
    story.step(
        f"{second.name} 收到站内通知",
        "told in the app",
        lambda: steps.unread(second, before + 1),
        lambda items: str(items[0].get("text") or items[0].get("title")),
    )
    story.step(
        f"{second.name} 收到邮件",
        "and by e-mail",
        lambda: steps.told_by_mail(url, str(second.member["email"]), mails + 1),
        lambda items: str(items[0]["subject"]),
    )
    print(f"\n完成 / done. {url}/local/mail")


def _tag() -> str:
    """Two Chinese characters that differ from run to run, so that names never repeat."""
    return "".join(chr(0x4E00 + secrets.randbelow(20_000)) for _ in range(2))


def _workbook(tag: str) -> bytes:
    table = rows(_ROWS, secrets.randbits(32), tag)
    for place, (header, value) in zip(
        (3, 17, 31), (("手机", "12345"), ("客户名称", ""), ("客户行业", "互联网")), strict=True
    ):
        table[place] = table[place].with_cell(header, value)
    return workbook_bytes(table)


def _counts(job: dict[str, Any]) -> str:
    names = ("status", "total", "created", "updated", "skipped", "failed")
    return ", ".join(f"{name} {job[name]}" for name in names)


def _customer(customer: dict[str, Any]) -> str:
    contact = customer.get("contact") or {}
    return f"{customer['name']} · {contact.get('name')} {contact.get('mobile')}"


def _refusal(act: Callable[[], Any]) -> Refused:
    try:
        act()
    except Refused as refusal:
        return refusal
    raise AssertionError("was not refused")


if __name__ == "__main__":
    sys.exit(main())
