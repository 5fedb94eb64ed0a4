"""What every REST route of every service does."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from chassis.database.tables import idempotency_keys, outbox
from chassis.errors import Invalid
from chassis.http.parsing import validate
from libs.chassis.tests.sample import NewNote, Note
from tests.support.services import OpenService


def _write(sample: OpenService, text: str = "hello", **headers: str):
    return sample.client.post(
        "/api/v1/notes", json={"text": text}, headers=sample.headers(sample.organisation.sales, **headers)
    )


def test_a_command_writes_row_and_event_and_answers_with_etag(sample: OpenService) -> None:
    reply = _write(sample)

    assert reply.status_code == 201
    assert reply.headers["ETag"] == '"1"'
    with sample.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(outbox)) == 1


def test_a_request_without_token_is_refused_in_the_callers_language(sample: OpenService) -> None:
    reply = sample.client.get("/api/v1/notes", headers={"Accept-Language": "en-GB,en"})

    assert reply.status_code == 401
    assert reply.content_type == "application/problem+json"
    assert reply.json["code"] == "token_missing"
    assert reply.json["detail"] == "Please log in first"
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"exp": 1}, "token_expired"), ({"aud": "other"}, "token_invalid"), ({"epoch": -1}, "token_revoked")],
)
def test_a_token_that_is_expired_foreign_or_of_an_old_epoch_is_refused(sample, claims, code) -> None:
    token = sample.keys.access_token(sample.organisation.sales.id, **claims)

    reply = sample.client.get("/api/v1/notes", headers={"Authorization": f"Bearer {token}"})

    assert (reply.status_code, reply.json["code"]) == (401, code)


def test_an_unsigned_token_is_refused(sample: OpenService) -> None:
    import base64

    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    claims = {"sub": str(sample.organisation.admin.id), "aud": "highsea", "exp": 9_999_999_999, "epoch": 0, "sid": "x"}
    token = f"{part({'alg': 'none'})}.{part(claims)}."

    reply = sample.client.get("/api/v1/notes", headers={"Authorization": f"Bearer {token}"})

    assert reply.json["code"] == "token_invalid"


def test_a_member_without_the_right_gets_403_naming_it(sample: OpenService) -> None:
    from directory import store

    state = sample.organisation.role_state("sales")
    state.version = 2
    del state.permissions[:]
    with sample.database.transaction() as session:
        store.store_roles(session, [state])

    reply = _write(sample)

    assert (reply.status_code, reply.json["code"]) == (403, "forbidden")
    assert reply.json["permission"] == "customer.create"
    assert "customer.create" in reply.json["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"[1]", 400, "body_must_be_object"),
        (b'{"text": NaN}', 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'{"text": "a\\u0000b"}', 422, "validation_failed"),
        (b'{"text": "\\ud800"}', 422, "validation_failed"),
        (b'{"\\ud800": {"x/y": "\\u0000"}}', 422, "validation_failed"),
        (b"{}", 422, "validation_failed"),
        (b'{"text": "12345678901", "more": 1}', 422, "validation_failed"),
        (b"\xff\xfe", 400, "malformed_json"),
    ],
)
def test_malformed_input_is_a_4xx_that_says_what_to_fix(sample, body, status, code) -> None:
    headers = sample.headers(sample.organisation.sales)

    reply = sample.client.post("/api/v1/notes", data=body, content_type="application/json", headers=headers)

    assert (reply.status_code, reply.json["code"]) == (status, code)


def test_a_request_without_a_body_is_one_with_an_empty_object(sample: OpenService) -> None:
    reply = sample.client.post("/api/v1/notes", headers=sample.headers(sample.organisation.sales))

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "/text")


def test_every_wrong_field_is_named_with_pointer_and_message(sample: OpenService) -> None:
    headers = sample.headers(sample.organisation.sales, Accept_Language="zh")

    reply = sample.client.post("/api/v1/notes", json={"text": "12345678901", "more": 1}, headers=headers)

    assert {error["pointer"]: error["code"] for error in reply.json["errors"]} == {
        "/text": "string_too_long",
        "/more": "extra_forbidden",
    }
    assert "最多 10 个字" in [error["message"] for error in reply.json["errors"]]


def test_json_as_deep_as_it_can_be_read_is_judged_like_any_other() -> None:
    deep: object = "\0"
    for _ in range(10_000):
        deep = [deep]

    with pytest.raises(Invalid) as refused:
        validate(NewNote, {"text": deep})

    assert [error.code for error in refused.value.errors] == ["null_character"]


def test_a_body_wrong_in_thousands_of_places_gets_a_short_reply_that_counts_them(sample: OpenService) -> None:
    headers = sample.headers(sample.organisation.sales)

    reply = sample.client.post("/api/v1/notes", json={"text": "x", "tags": [1] * 10_000}, headers=headers)

    assert reply.status_code == 422
    assert len(reply.json["errors"]) == 500
    assert "10000" in reply.json["detail"]


def test_a_method_that_a_route_does_not_know_is_405_and_names_those_it_does(sample: OpenService) -> None:
    reply = sample.client.delete("/api/v1/notes")

    assert (reply.status_code, reply.json["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(reply.headers["Allow"].split(", "))


def test_an_unexpected_error_leaks_nothing(sample: OpenService) -> None:
    reply = sample.client.get("/api/v1/notes/broken")

    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert reply.json["trace_id"] in reply.json["detail"]


def test_an_idempotency_key_repeats_the_reply_without_a_second_effect(sample: OpenService) -> None:
    first = _write(sample, Idempotency_Key="k1")
    second = _write(sample, Idempotency_Key="k1")

    assert second.json == first.json
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["ETag"] == first.headers["ETag"]
    with sample.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Note)) == 1


def test_an_idempotency_key_with_another_body_is_422(sample: OpenService) -> None:
    _write(sample, Idempotency_Key="k1")

    reply = _write(sample, "other", Idempotency_Key="k1")

    assert (reply.status_code, reply.json["code"]) == (422, "idempotency_key_reused")


def test_a_failed_command_stores_no_idempotency_key(sample: OpenService) -> None:
    assert _write(sample, "forbidden", Idempotency_Key="k1").status_code == 409

    with sample.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(idempotency_keys)) == 0


def test_concurrent_requests_with_one_key_have_one_effect_and_one_reply(sample: OpenService) -> None:
    barrier = threading.Barrier(4)
    app = sample.client.application

    def post(_number: int):
        barrier.wait()
        headers = sample.headers(sample.organisation.sales, Idempotency_Key="k1")
        return app.test_client().post("/api/v1/notes", json={"text": "x"}, headers=headers).json

    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(post, range(4)))

    assert len({reply["id"] for reply in replies}) == 1
    with sample.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Note)) == 1


def test_an_update_needs_the_current_version(sample: OpenService) -> None:
    note = _write(sample).json
    path, member = f"/api/v1/notes/{note['id']}", sample.organisation.sales

    def put(**headers: str):
        return sample.client.put(path, json={"text": "new"}, headers=sample.headers(member, **headers))

    assert put().status_code == 428
    assert put(If_Match="three").status_code == 400
    assert put(If_Match='"1"').headers["ETag"] == '"2"'
    assert put(If_Match='"1"').status_code == 412


def test_a_read_with_the_current_etag_is_304(sample: OpenService) -> None:
    note = _write(sample).json
    headers = sample.headers(sample.organisation.sales, If_None_Match='"1"')

    assert sample.client.get(f"/api/v1/notes/{note['id']}", headers=headers).status_code == 304


def test_repeated_query_parameters_fill_a_list_and_unknown_ones_are_refused(sample: OpenService) -> None:
    headers = sample.headers(sample.organisation.sales)

    assert sample.client.get("/api/v1/notes?tag=a&tag=b", headers=headers).status_code == 200
    assert sample.client.get("/api/v1/notes?nonsense=1", headers=headers).status_code == 422


def test_a_saturated_service_answers_503_with_retry_after(sample: OpenService, monkeypatch) -> None:
    from chassis.health import Health
    from chassis.http import app as http_app

    monkeypatch.setattr(http_app, "_QUEUE_SECONDS", 0.01)
    settings = sample.runtime.settings.model_copy(update={"http_threads": 1})
    import dataclasses

    runtime = dataclasses.replace(sample.runtime, settings=settings)
    application = http_app.create_app(runtime, sample.service.apis, Health(runtime, sample.service.scripts()))
    entered, leave = threading.Event(), threading.Event()
    original = runtime.access_tokens.authenticate

    def slow(token: str):
        entered.set()
        leave.wait(10)
        return original(token)

    monkeypatch.setattr(runtime.access_tokens, "authenticate", slow)
    headers = sample.headers(sample.organisation.sales)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(lambda: application.test_client().get("/api/v1/notes", headers=headers))
        entered.wait(10)
        refused = application.test_client().get("/api/v1/notes", headers=headers)
        leave.set()

    assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
    assert refused.headers["Retry-After"] == "1"
    assert busy.result().status_code == 200


def test_openapi_describes_every_route_with_its_access(sample: OpenService) -> None:
    document = sample.client.get("/api/v1/customer/openapi.json").json

    assert document["openapi"] == "3.1.0"
    operations = {op["operationId"]: op for path in document["paths"].values() for op in path.values()}
    assert set(operations) == {route.operation_id for api in sample.service.apis for route in api.routes}
    assert operations["write_note"]["x-access"] == "customer.create"
    assert sample.client.get("/api/v1/customer/docs/").status_code == 200


def test_readyz_fails_only_while_draining_or_without_database(sample: OpenService) -> None:
    assert sample.client.get("/readyz").json == {"ready": True, "failing": [], "degraded": []}

    sample.runtime.draining.set()

    assert sample.client.get("/readyz").status_code == 503
    assert sample.client.get("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/notes", "/api/v1/nowhere"])
def test_a_refusal_leaves_no_byte_of_the_body_unread(sample: OpenService, path: str) -> None:
    body = io.BytesIO(b"x" * 300_000)

    reply = sample.client.post(path, input_stream=body, content_length=300_000, content_type="application/json")

    assert reply.status_code in (401, 404)
    assert body.read() == b""
