"""Files of customers: who adds, sees, fetches and deletes them, and that nothing is left of what did not arrive."""

import hashlib
import io
import socket
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from uuid import UUID

import pytest
from obstore.exceptions import GenericError
from prometheus_client import REGISTRY
from sqlalchemy import func, select, update
from werkzeug.serving import make_server

from chassis.audit import AuditFilter, find_audit
from chassis.clock import now
from chassis.database.tables import tickets
from crm.common.v1.place_pb2 import Place
from crm_customer.customers.model import Customer
from crm_customer.files import commands
from crm_customer.files.due import clean_up_files
from crm_customer.files.model import Attachment
from services.customer.tests.hostile import PDF, PNG, archive

TEXT = "付款条件".encode()


def _upload(
    customers: Any, member: Any, customer: Any, content: bytes = TEXT, name: str = "条件.txt", **more: Any
) -> Any:
    headers, query = more.pop("headers", {}), {"customer_id": customer["id"], **more}
    form = {"file": (io.BytesIO(content), name)}
    return customers.request(
        "POST", "/files", member, query_string=query, data=form, content_type="multipart/form-data", headers=headers
    )


def _added(customers: Any, member: Any, customer: Any, *what: Any, **more: Any) -> Any:
    reply = _upload(customers, member, customer, *what, **more)
    assert reply.status_code == 201, reply.text
    return reply.json


def _listed(customers: Any, member: Any, customer: Any, **query: Any) -> Any:
    return customers.request("GET", "/files", member, query_string={"customer_id": customer["id"], **query})


def _follow_up(customers: Any, member: Any, customer: Any) -> Any:
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "已电话沟通"}
    return customers.request("POST", "/activities", member, json=body).json


def _refusals(*codes: str) -> list[float]:
    return [REGISTRY.get_sample_value("crm_files_refused_total", {"code": code}) or 0 for code in codes]


def _ticket(customers: Any, member: Any, file: Any) -> Any:
    return customers.request("POST", f"/files/{file['id']}:ticket", member)


def _fetch(customers: Any, ticket: Any) -> Any:
    return customers.client.get(ticket.json["url"])


def _share(customers: Any, customer: Any, member: Any, access: str) -> None:
    body = {"collaborators": [{"member_id": str(member.id), "access": access}]}
    path = f"/customers/{customer['id']}/collaborators"
    assert customers.request("POST", path, customers.organisation.sales, json=body).status_code == 200


def _stored(customers: Any) -> list[Path]:
    folder = Path(urlparse(customers.runtime.settings.object_store_url).path)
    return [path for path in folder.rglob("*") if path.is_file()]


def _rows(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Attachment)) or 0


def _age(customers: Any, file_id: str, **columns: timedelta) -> None:
    with customers.database.transaction() as session:
        aged = {name: now() - age for name, age in columns.items()}
        session.execute(update(Attachment).where(Attachment.id == UUID(file_id)).values(**aged))


def test_a_file_is_kept_shown_and_fetched_as_it_was_sent(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    file = _added(customers, sales, customer, PDF, "报价单.PDF")

    wanted = {"name": "报价单.PDF", "extension": "pdf", "content_type": "application/pdf", "size": len(PDF)}
    assert file | wanted == file
    assert (file["sha256"], file["has_preview"]) == (hashlib.sha256(PDF).hexdigest(), False)
    assert file["created_by"] == {"id": str(sales.id), "name": "张三"}
    assert _listed(customers, sales, customer).json["items"] == [file]
    assert customers.request("GET", f"/files/{file['id']}", sales).json == file
    fetched = _fetch(customers, _ticket(customers, sales, file))
    assert (fetched.status_code, fetched.data) == (200, PDF)
    headers = fetched.headers
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"file.pdf\"; filename*=UTF-8''%E6%8A%A5%E4%BB%B7%E5%8D%95.PDF"
    )
    assert (headers["Content-Type"], headers["Content-Length"]) == ("application/pdf", str(len(PDF)))
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert headers["Content-Security-Policy"].startswith("sandbox")
    with customers.database.reading() as session:
        found = find_audit(session, AuditFilter(action="file."), None, 10)
        assert [entry.action for entry in found] == ["file.added"]


def test_50_mb_are_taken_and_a_byte_more_is_refused_in_the_agreed_words(customers: Any) -> None:
    """F-36."""
    sales = customers.organisation.sales
    customer, most = customers.create(sales), 50 * 1024 * 1024

    assert _added(customers, sales, customer, b"a" * most)["size"] == most
    refused = _upload(customers, sales, customer, b"a" * (most + 1), headers={"Accept_Language": "zh"})

    assert (refused.status_code, refused.json["code"]) == (413, "file_too_large")
    assert refused.json["errors"][0]["message"] == "附件大小不能超过50M"
    assert _rows(customers) == 1


def test_refused_files_are_counted_by_their_code(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    def counted(content: bytes, name: str) -> list[float]:
        codes = ("file_active", "file_type_not_supported", "file_too_large")
        before, _, after = _refusals(*codes), _upload(customers, sales, customer, content, name), _refusals(*codes)
        return [now - then for then, now in zip(before, after, strict=True)]

    assert counted(b"<script>", "a.txt") == [1, 0, 0]
    assert counted(b"MZ", "a.exe") == [0, 1, 0]
    assert counted(bytes(50 * 1024 * 1024 + 1), "a.txt") == [0, 0, 1]
    assert counted(TEXT, "a.txt") == [0, 0, 0]


def test_a_refused_file_says_why_and_leaves_nothing(customers: Any) -> None:
    """F-39. What is refused, and how, is in test_file_checks."""
    sales = customers.organisation.sales
    customer = customers.create(sales)

    def refused(content: bytes, name: str) -> Any:
        return _upload(customers, sales, customer, content, name, headers={"Accept_Language": "zh"})

    page, program = refused(b"<script>", "a.TXT"), refused(b"MZ", "a.exe")
    packed = refused(archive({"资料/setup.exe": b"MZ"}), "a.zip")

    assert (page.status_code, page.json["errors"][0]["pointer"], page.json["code"]) == (422, "/file", "file_active")
    assert program.json["detail"].startswith("附件格式不支持：a.exe。可上传 pdf")
    assert packed.json["detail"].startswith("附件格式不支持：setup.exe。可上传 pdf")
    assert (_rows(customers), _stored(customers)) == (0, [])


@pytest.mark.parametrize(
    ("form", "pointer"),
    [
        ({}, "/file"),
        ({"file": (io.BytesIO(b"x"), "")}, "/file"),
        ({"other": (io.BytesIO(b"x"), "a.txt")}, "/file"),
        ({"file": [(io.BytesIO(b"x"), "a.txt"), (io.BytesIO(b"y"), "b.txt")]}, "/file"),
        ({"file": (io.BytesIO(b"x"), "a.txt"), "customer_id": "x"}, "/customer_id"),
    ],
    ids=["none", "without name", "other field", "two", "another field"],
)
def test_a_form_holds_one_file_and_nothing_else(customers: Any, form: Any, pointer: str) -> None:
    sales = customers.organisation.sales
    query = {"customer_id": customers.create(sales)["id"]}

    reply = customers.request(
        "POST", "/files", sales, query_string=query, data=form, content_type="multipart/form-data"
    )

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)
    no_form = customers.request("POST", "/files", sales, query_string=query, json={})
    assert (no_form.status_code, no_form.json["code"]) == (415, "unsupported_media_type")


def test_the_same_upload_again_is_one_file_and_another_under_its_key_is_refused(customers: Any) -> None:
    sales = customers.organisation.sales
    customer, key = customers.create(sales), {"Idempotency_Key": "a"}

    first, again = (_upload(customers, sales, customer, headers=key) for _ in range(2))
    renamed = _upload(customers, sales, customer, TEXT, "别的.txt", headers=key)

    assert (first.status_code, again.json, again.headers["Idempotent-Replayed"]) == (201, first.json, "true")
    assert (renamed.status_code, renamed.json["code"]) == (422, "idempotency_key_reused")
    assert (_rows(customers), len(_stored(customers))) == (1, 1)
    assert _added(customers, sales, customer)["name"] == first.json["name"]  # names need not differ


def test_an_upload_that_breaks_off_leaves_nothing(customers: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """Half of the body over a real socket, then the connection is closed."""
    sales = customers.organisation.sales
    customer = customers.create(sales)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = make_server("127.0.0.1", 0, customers.client.application)
    answering = threading.Thread(target=server.handle_request)
    answering.start()
    token = customers.headers(sales)["Authorization"]
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"a" * 3_000_000

    with socket.create_connection(server.server_address) as connection:
        head = f"POST /api/v1/files?customer_id={customer['id']} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        form = f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {2 * len(begin)}\r\n\r\n"
        connection.sendall((head + form).encode() + begin)
    answering.join(60)
    server.server_close()

    assert not answering.is_alive()
    assert (_rows(customers), _stored(customers), list(tmp_path.iterdir())) == (0, [], [])


def test_while_the_object_store_is_away_nothing_is_added(customers: Any, monkeypatch: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    file = _added(customers, sales, customer)

    def away(*_arguments: object, **_options: object) -> None:
        raise GenericError("away")

    with monkeypatch.context() as patch:
        patch.setattr("obstore.put", away)
        refused = _upload(customers, sales, customer)
        patch.setattr("obstore.get", away)
        fetched = _fetch(customers, _ticket(customers, sales, file))

    for reply in (refused, fetched):
        assert (reply.status_code, reply.json["code"]) == (503, "object_store_unavailable")
        assert "Retry-After" in reply.headers
    assert _rows(customers) == 1
    assert _added(customers, sales, customer)["name"] == file["name"]


def test_what_a_crash_left_behind_is_seen_by_nobody_and_gone_after_an_hour(customers: Any, monkeypatch: Any) -> None:
    """Decision 0027: between the row and `stored_at`, with and without its content."""
    sales = customers.organisation.sales
    customer = customers.create(sales)
    kept = _added(customers, sales, customer)

    def crash(*_arguments: object, **_options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("crm_customer.files.http._take_back", lambda *_: None)
        patch.setattr(commands, "keep_file", crash)
        with pytest.raises(SystemExit):
            _upload(customers, sales, customer, PNG, "a.png")
        patch.setattr("obstore.put", crash)
        with pytest.raises(SystemExit):
            _upload(customers, sales, customer)
    with customers.database.reading() as session:
        left = [str(id_) for id_ in session.scalars(select(Attachment.id).where(Attachment.stored_at.is_(None)))]
    assert len(left) == 2
    assert _listed(customers, sales, customer).json["items"] == [kept]
    assert [customers.request("GET", f"/files/{id_}", sales).status_code for id_ in left] == [404, 404]

    clean_up_files(customers.runtime)
    assert _rows(customers) == 3  # they may still be on their way
    for id_ in left:
        _age(customers, id_, created_at=timedelta(hours=2))
    clean_up_files(customers.runtime)

    assert (_rows(customers), len(_stored(customers))) == (1, 1)


def test_an_upload_that_was_given_up_meanwhile_is_not_shown(customers: Any, monkeypatch: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    keep = commands.keep_file

    def late(session: Any, sight: Any, announced: Any, moment: Any) -> Any:
        _age(customers, str(announced.id), created_at=timedelta(hours=2))
        clean_up_files(customers.runtime)
        return keep(session, sight, announced, moment)

    monkeypatch.setattr(commands, "keep_file", late)

    assert _upload(customers, sales, customer).status_code == 404
    assert (_rows(customers), _stored(customers)) == (0, [])


def test_only_who_may_change_a_customer_adds_files(customers: Any) -> None:
    organisation = customers.organisation
    customer, pooled = customers.create(organisation.sales), customers.create(organisation.sales, "公海客户")

    assert _upload(customers, organisation.rival, customer).status_code == 404
    _share(customers, customer, organisation.rival, "read")
    reading = _upload(customers, organisation.rival, customer)
    _share(customers, customer, organisation.rival, "write")
    assert _added(customers, organisation.rival, customer)
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))
    unclaimed = _upload(customers, organisation.sales, pooled)

    assert (reading.status_code, reading.json["code"]) == (403, "read_only_collaborator")
    assert (unclaimed.status_code, unclaimed.json["code"]) == (409, "claim_first")
    assert _added(customers, organisation.supervisor, pooled)


def test_files_are_listed_newest_first_to_whoever_sees_the_customer_now(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    files = [_added(customers, organisation.sales, customer, TEXT, f"{number}.txt") for number in range(3)]
    customers.move(customer, 2, Place(owner_id=str(organisation.rival.id)))

    first = _listed(customers, organisation.rival, customer, page_size=2).json
    second = _listed(customers, organisation.rival, customer, page_size=2, page=2).json

    assert (first["items"] + second["items"], first["total"]) == (files[::-1], 3)
    assert _listed(customers, organisation.sales, customer).status_code == 404
    for path in (f"/files/{files[0]['id']}", f"/files/{files[0]['id']}/preview"):
        assert customers.request("GET", path, organisation.sales).status_code == 404
    assert _ticket(customers, organisation.sales, files[0]).status_code == 404


def test_a_lock_hides_files_from_all_but_the_owner(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    file = _added(customers, organisation.sales, customer)
    ticket = _ticket(customers, organisation.supervisor, file)
    with customers.database.transaction() as session:
        locked = {"locked_at": now(), "locked_by": organisation.sales.id}
        session.execute(update(Customer).where(Customer.id == UUID(customer["id"])).values(**locked))

    assert _listed(customers, organisation.supervisor, customer).status_code == 404
    assert _fetch(customers, ticket).status_code == 404
    assert _fetch(customers, _ticket(customers, organisation.sales, file)).data == TEXT


def test_a_ticket_is_good_once_and_for_its_holder_as_long_as_they_may_read(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    file = _added(customers, organisation.sales, customer)
    once, moved, roleless = (_ticket(customers, organisation.sales, file) for _ in range(3))

    assert [_fetch(customers, once).status_code for _ in range(2)] == [200, 404]
    customers.grant("sales", without=("customer.read",))
    refused = _fetch(customers, roleless)
    assert (refused.status_code, refused.json["permission"]) == (403, "customer.read")
    customers.move(customer, 2, Place(owner_id=str(organisation.rival.id)))
    assert _fetch(customers, moved).status_code in (403, 404)
    other = customers.client.get("/api/v1/files/content/" + "x" * 43)
    assert (other.status_code, other.json["code"]) == (404, "ticket_invalid")
    with customers.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(tickets)) == 0


def test_no_log_holds_a_ticket(customers: Any, monkeypatch: Any, capfd: Any) -> None:
    """Design §6. Not even when something breaks while it is used."""
    sales = customers.organisation.sales
    ticket = _ticket(customers, sales, _added(customers, sales, customers.create(sales)))

    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("obstore.get", broken)
    assert [_fetch(customers, ticket).status_code for _ in range(2)] == [500, 404]

    logged = "".join(capfd.readouterr())
    assert "request_failed" in logged
    assert ticket.json["url"].rpartition("/")[2] not in logged


def test_a_picture_has_a_preview_and_nothing_else_does(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    drawn, written = _added(customers, sales, customer, PNG, "a.png"), _added(customers, sales, customer)

    preview = customers.request("GET", f"/files/{drawn['id']}/preview", sales)

    assert (drawn["has_preview"], written["has_preview"]) == (True, False)
    assert (preview.status_code, preview.content_type, preview.data[:4]) == (200, "image/webp", b"RIFF")
    assert customers.request("GET", f"/files/{written['id']}/preview", sales).status_code == 404


def test_a_deleted_file_comes_back_within_30_days_and_then_loses_its_content(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    file = _added(customers, sales, customer, PNG, "a.png")
    path, restore = f"/files/{file['id']}", f"/files/{file['id']}:restore"
    ticket = _ticket(customers, sales, file)

    assert customers.request("DELETE", path, sales).status_code == 204
    assert _fetch(customers, ticket).status_code == 404
    assert customers.request("DELETE", path, sales).status_code == 404
    assert _listed(customers, sales, customer).json["total"] == 0
    assert [customers.request("POST", restore, sales).json for _ in range(2)] == [file, file]
    customers.request("DELETE", path, sales)
    _age(customers, file["id"], deleted_at=timedelta(days=30, minutes=1))
    clean_up_files(customers.runtime)
    assert len(_stored(customers)) == 2  # somebody may just be bringing it back
    assert customers.request("POST", restore, sales).json["code"] == "file_purged"
    _age(customers, file["id"], deleted_at=timedelta(days=31))
    clean_up_files(customers.runtime)

    assert (_stored(customers), _rows(customers)) == ([], 1)
    with customers.database.reading() as session:
        found = find_audit(session, AuditFilter(action="file."), None, 10)
        assert [entry.action for entry in found] == ["file.deleted", "file.restored", "file.deleted", "file.added"]


def test_files_are_deleted_by_who_added_them_the_owner_and_who_may_delete_customers(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    for member in (organisation.rival, organisation.rival_supervisor):
        _share(customers, customer, member, "write")
    files = [_added(customers, organisation.rival, customer) for _ in range(3)]

    def delete(member: Any, file: Any) -> Any:
        return customers.request("DELETE", f"/files/{file['id']}", member)

    refused = delete(organisation.rival_supervisor, files[0])
    assert (refused.status_code, refused.json["code"]) == (403, "not_your_file")
    assert delete(organisation.rival, files[0]).status_code == 204
    assert (
        customers.request("POST", f"/files/{files[0]['id']}:restore", organisation.rival_supervisor).status_code == 403
    )
    assert delete(organisation.sales, files[1]).status_code == 204
    assert delete(organisation.supervisor, files[2]).status_code == 204


def test_a_follow_ups_file_is_shown_and_goes_with_the_follow_up_alone(customers: Any) -> None:
    """F-13."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    follow_up = _follow_up(customers, organisation.sales, customer)
    other = _added(customers, organisation.sales, customer)
    file = _added(customers, organisation.sales, customer, activity_id=follow_up["id"])
    assert file["activity_id"] == follow_up["id"]
    assert _listed(customers, organisation.sales, customer).json["items"] == [file, other]
    assert _listed(customers, organisation.sales, customer, activity_id=follow_up["id"]).json["items"] == [file]

    refused = customers.request("DELETE", f"/files/{file['id']}", organisation.sales)

    assert (refused.status_code, refused.json["code"]) == (409, "follow_up_file")
    path, version = f"/activities/{follow_up['id']}", {"If_Match": f'"{follow_up["version"]}"'}
    assert customers.request("DELETE", path, organisation.sales, headers=version).status_code == 204
    assert _listed(customers, organisation.sales, customer).json["items"] == [other]
    assert customers.request("GET", f"/files/{file['id']}", organisation.sales).status_code == 404
    assert customers.request("POST", f"/files/{file['id']}:restore", organisation.sales).status_code == 404
    _age(customers, file["id"], deleted_at=timedelta(days=31))
    clean_up_files(customers.runtime)
    assert len(_stored(customers)) == 1


def test_files_come_with_follow_ups_of_ones_own_with_this_customer(customers: Any) -> None:
    organisation = customers.organisation
    customer, other = customers.create(organisation.sales), customers.create(organisation.sales, "别的客户")
    theirs = _follow_up(customers, organisation.supervisor, customer)
    elsewhere = _follow_up(customers, organisation.sales, other)

    for activity_id in (theirs["id"], elsewhere["id"], customer["id"]):
        refused = _upload(customers, organisation.sales, customer, activity_id=activity_id)
        assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [
            ("/activity_id", "unknown_activity")
        ]
