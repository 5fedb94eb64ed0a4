"""What goes with a customer that changes hands, and what protects it: pool decides, customer carries out, seen from outside."""

from contextlib import suppress

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, Refused, until
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system


def _create(person: Person) -> str:
    """A customer with a contact, owned by whoever creates it; pool knows it already."""
    name = f"随迁{new_id().hex}"
    id_ = str(person.post("/customers", {"name": name, "contact": {"name": f"联系人{name}"}})["id"])
    until(lambda: person.get(f"/assignments/{id_}"))
    return id_


def _contact_owners(whole: Whole, ids: list[str]) -> list[str | None]:
    found = whole.rows(
        "customer", "SELECT owner_id FROM contacts WHERE customer_id = ANY(%s::uuid[]) ORDER BY customer_id", [ids]
    )
    return [str(row["owner_id"]) if row["owner_id"] else None for row in found]


def _collaborators(whole: Whole, ids: list[str]) -> list[tuple[str, bool]]:
    found = whole.rows(
        "customer", "SELECT member_id, can_write FROM collaborators WHERE customer_id = ANY(%s::uuid[])", [ids]
    )
    return [(str(row["member_id"]), row["can_write"]) for row in found]


def _sees(person: Person, id_: str) -> bool:
    """Whether both services show the customer."""
    with suppress(Refused):
        return bool(person.get(f"/customers/{id_}") and person.get(f"/assignments/{id_}"))
    return False


def test_after_a_transfer_contacts_stay_if_unticked_and_the_former_owner_reads(whole: Whole) -> None:
    seller, receiver = whole.person("sales"), whole.person("sales", 1)
    id_ = _create(seller)

    chosen = {"following": ["opportunities", "orders"], "former_owner": "reader"}
    seller.post("/assignments:transfer", {"customer_ids": [id_], "member_id": receiver.id, **chosen})

    until(lambda: owner_of(receiver.get(f"/customers/{id_}")) == receiver.id)
    until(lambda: _collaborators(whole, [id_]) == [(seller.id, False)])
    until(lambda: _sees(seller, id_))
    assert _contact_owners(whole, [id_]) == [seller.id]
    newest = seller.get(f"/assignments/{id_}/history")["items"][0]
    assert (newest["following"], newest["former_owner"]) == (["opportunities", "orders"], "reader")
    with pytest.raises(Refused) as refused:
        seller.post("/assignments:transfer", {"customer_ids": [id_], "member_id": seller.id})
    assert refused.value.code == "not_yours_to_give"


def test_by_default_contacts_go_to_the_new_owner_and_the_former_one_sees_nothing(whole: Whole) -> None:
    seller, receiver = whole.person("sales"), whole.person("sales", 1)
    id_ = _create(seller)

    seller.post("/assignments:transfer", {"customer_ids": [id_], "member_id": receiver.id})

    until(lambda: _contact_owners(whole, [id_]) == [receiver.id])
    assert not _sees(seller, id_)


def test_an_undone_release_brings_contacts_and_collaborators_back(whole: Whole) -> None:
    former, seller = whole.person("sales"), whole.person("sales", 1)
    ids = [_create(former) for _ in range(2)]
    former.post("/assignments:transfer", {"customer_ids": ids, "member_id": seller.id, "former_owner": "editor"})
    until(lambda: _collaborators(whole, ids) == [(former.id, True)] * 2)

    release = seller.post("/assignments:release", {"customer_ids": ids})["batch_id"]
    until(lambda: (_contact_owners(whole, ids), _collaborators(whole, ids)) == ([None, None], []))
    seller.post(f"/releases/{release}:undo")

    until(lambda: {owner_of(seller.get(f"/customers/{id_}")) for id_ in ids} == {seller.id})
    until(lambda: _contact_owners(whole, ids) == [seller.id] * 2)
    assert _collaborators(whole, ids) == [(former.id, True)] * 2
    until(lambda: all(_sees(former, id_) for id_ in ids))


def test_a_batch_release_skips_a_wecom_friend_and_a_transfer_to_a_stranger_is_refused(whole: Whole) -> None:
    seller, stranger = whole.person("sales"), whole.person("sales", 1)
    friend, other = _create(seller), _create(seller)
    version = seller.get(f"/customers/{friend}")["version"]
    seller.patch(f"/customers/{friend}", {"wecom_friend": True}, version)

    body = {"selection": {"filter": {"owner_id": seller.id, "search": "随迁"}}}
    path = f"/assignments/batches/{seller.post('/assignments:release', body)['batch_id']}"
    until(lambda: seller.get(path)["finished_at"])

    items = {
        one["item_id"]: (one["outcome"], one["code"], one["message"])
        for one in seller.get(f"{path}/items", page_size=200)["items"]
    }
    assert items[friend] == ("skipped", "wecom_friend_protected", "企微好友客户禁止删除或丢公海")
    assert items[other][0] == "done"
    assert [owner_of(stranger.get(f"/assignments/{other}")), owner_of(seller.get(f"/assignments/{friend}"))] == [
        None,
        seller.id,
    ]
    with pytest.raises(Refused) as refused:
        seller.post("/assignments:transfer", {"customer_ids": [friend], "member_id": stranger.id})
    assert refused.value.code == "wecom_friend_only_collaborators"


def test_a_locked_customer_is_gone_for_others_in_both_services_and_its_owner_may_transfer_it(whole: Whole) -> None:
    seller, receiver, admin = whole.person("sales"), whole.person("sales", 1), whole.person("administrator")
    id_ = _create(seller)
    until(lambda: _sees(admin, id_))

    seller.post(f"/customers/{id_}:lock")
    until(lambda: not _pool_shows(admin, id_))
    with pytest.raises(Refused) as refused:
        admin.post("/assignments:release", {"customer_ids": [id_]})
    seller.post("/assignments:transfer", {"customer_ids": [id_], "member_id": receiver.id})

    assert (refused.value.status, refused.value.code) == (404, "not_found")
    until(lambda: _sees(receiver, id_))
    assert not _pool_shows(admin, id_)


def _pool_shows(person: Person, id_: str) -> bool:
    with suppress(Refused):
        return bool(person.get(f"/assignments/{id_}"))
    return False
