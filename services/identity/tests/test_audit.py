"""Who did what here, as an administrator reads it (Q-07)."""

from typing import Any


def entries(identity: Any, query: str = "") -> list[tuple[str, str | None]]:
    """Action and actor's name, newest first."""
    items = identity.call("GET", f"/identity/audit?page_size=200{query}", identity.people.admin).json["items"]
    return [(item["action"], item["actor"] and item["actor"]["name"]) for item in items]


def test_every_end_of_a_session_says_who_ended_it(identity: Any) -> None:
    people = identity.people
    first, second = (identity.log_in("sales").json["access_token"] for _ in range(2))
    [other] = [
        one["id"] for one in identity.with_token("GET", "/auth/sessions", second).json["items"] if not one["current"]
    ]
    identity.with_token("DELETE", f"/auth/sessions/{other}", second)
    assert identity.with_token("POST", "/auth/logout", first).status_code == 401
    identity.with_token("POST", "/auth/logout", identity.log_in("sales").json["access_token"])
    identity.with_token("POST", "/auth/logout-everywhere", identity.log_in("sales").json["access_token"])
    identity.call("POST", f"/members/{people.sales.id}:end-sessions", people.admin)

    assert entries(identity, f"&subject_type=member&subject_id={people.sales.id}") == [
        ("member.sessions_ended", "管理员"),
        ("member.logged_out_everywhere", "张三"),
        ("member.logged_in", "张三"),
        ("member.logged_out", "张三"),
        ("member.logged_in", "张三"),
        ("member.session_ended", "张三"),
        ("member.logged_in", "张三"),
        ("member.logged_in", "张三"),
    ]


def test_what_a_leaver_did_is_still_found_under_their_name(identity: Any) -> None:
    people = identity.people
    identity.log_in("rival")
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)

    assert entries(identity, f"&actor_id={people.rival.id}") == [("member.logged_in", "王五")]
    assert entries(identity, "&action=member.deactivated") == [("member.deactivated", "管理员")]


def test_what_the_system_did_by_itself_has_no_actor(bare: Any, capsys: Any) -> None:
    from crm_identity.service import SERVICE

    assert SERVICE.commands["rotate-key"](bare.runtime, ()) == 0
    administrator = ("--login", "root", "--name", "李总", "--email", "root@example.test")
    assert SERVICE.commands["create-administrator"](bare.runtime, administrator) == 0
    token = capsys.readouterr().out.strip().rpartition("#")[2]
    redeemed = bare.client.post("/api/v1/auth/password:redeem", json={"token": token, "new_password": "long enough"})
    headers = {"Authorization": f"Bearer {redeemed.json['access_token']}"}

    items = bare.client.get("/api/v1/identity/audit?page_size=200", headers=headers).json["items"]

    actors = {item["action"]: item["actor"] and item["actor"]["name"] for item in items}
    assert actors["signing_key.published"] is None
    assert actors["member.created"] is None
    assert actors["member.password_set"] == "李总"
