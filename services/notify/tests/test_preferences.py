"""Who wants to be told of what, and how."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.audit import AuditFilter, find_audit
from crm_notify.deliveries.rules import Channel
from crm_notify.notifications.rules import Kind, Wish
from crm_notify.preferences.rules import (
    MODES,
    Cell,
    Choices,
    Defaults,
    Hours,
    Mode,
    Source,
    after_quiet,
    cell,
    decide,
    next_digest,
)
from services.notify.tests.support import get
from tests.support.organisation import Member
from tests.support.services import OpenService

SHANGHAI = ZoneInfo("Asia/Shanghai")
# Clocks go forth and back there, by an hour and by half an hour.
ZONES = [SHANGHAI, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/St_Johns")]
NOON = datetime(2026, 11, 26, 4, tzinfo=UTC)
# When clocks change in these zones in 2027; most moments are near one of them.
CHANGES = [
    datetime.fromisoformat(f"2027-{at}Z")
    for at in ("03-28T01:00", "10-31T01:00", "04-03T15:00", "10-02T15:30", "03-14T05:30", "11-07T04:30")
]
moments = st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes),
    st.sampled_from([NOON] * 3 + CHANGES),
    st.integers(-25 * 60, 25 * 60),
)
times = st.times().map(lambda at: at.replace(second=0, microsecond=0))
modes = st.fixed_dictionaries({}, optional={channel: st.sampled_from(MODES[channel]) for channel in MODES})
wishes = st.sampled_from([None, Wish(True, False), Wish(False, True), Wish(True, True)])
lackings = st.fixed_dictionaries({}, optional={Channel.EMAIL: st.just("mail_off"), Channel.ROBOT: st.just("robot_off")})


@pytest.mark.parametrize(
    ("kind", "channel", "defaults", "own", "found"),
    [
        (Kind.TASK_ASSIGNED, Channel.IN_APP, Defaults(), Choices(), Cell(Mode.NOW, Source.BUILT_IN, False)),
        (Kind.TASK_ASSIGNED, Channel.EMAIL, Defaults(), Choices(), Cell(Mode.OFF, Source.BUILT_IN, False)),
        (Kind.WORK_DUE, Channel.EMAIL, Defaults(), Choices(), Cell(Mode.NOW, Source.BUILT_IN, False)),
        (Kind.WORK_DUE, Channel.ROBOT, Defaults(), Choices(), Cell(Mode.OFF, Source.BUILT_IN, False)),
        (
            Kind.WORK_DUE,
            Channel.EMAIL,
            Defaults({"work_due": {"email": "off"}}),
            Choices(),
            Cell(Mode.OFF, Source.ADMINISTRATOR, False),
        ),
        (
            Kind.WORK_DUE,
            Channel.EMAIL,
            Defaults({"work_due": {"email": "off"}}),
            Choices({"work_due": {"email": "daily"}}),
            Cell(Mode.DAILY, Source.OWN, False),
        ),
        (
            Kind.WORK_DUE,
            Channel.EMAIL,
            Defaults(locked={"work_due": ["email"]}),
            Choices({"work_due": {"email": "off"}}),
            Cell(Mode.NOW, Source.BUILT_IN, True),
        ),
    ],
)
def test_the_members_choice_holds_unless_locked_then_the_administrators_then_highseas(
    kind: Kind, channel: Channel, defaults: Defaults, own: Choices, found: Cell
) -> None:
    assert cell(kind, channel, defaults, own) == found


def _decide(
    kind: Kind, own: dict[str, str], wish: Wish | None = None, **lacking: str
) -> tuple[bool, dict[str, str | None]]:
    missing = {Channel(channel): code for channel, code in lacking.items()}
    found = decide(kind, wish, Defaults(), Choices({kind: own}), lacking=missing, now=NOON, zone=SHANGHAI)
    return found.in_app, {way.channel.value: way.code for way in found.ways}


@pytest.mark.parametrize(
    ("own", "wish", "lacking", "decided"),
    [
        ({}, None, {}, (True, {})),
        ({"email": "now"}, None, {}, (True, {"email": None})),
        ({"email": "now", "in_app": "off"}, None, {}, (False, {"email": None})),
        ({"email": "now", "in_app": "off"}, None, {"email": "mail_off"}, (True, {"email": "mail_off"})),
        ({"email": "off", "in_app": "off"}, None, {}, (False, {"email": "turned_off", "in_app": "turned_off"})),
        ({"robot": "now"}, None, {"robot": "robot_off"}, (True, {"robot": "robot_off"})),
        ({}, Wish(in_app=False, email=True), {}, (False, {"email": None})),
        ({}, Wish(in_app=False, email=True), {"email": "mail_no_address"}, (True, {"email": "mail_no_address"})),
        ({"email": "off"}, Wish(in_app=False, email=True), {}, (True, {"email": "turned_off"})),
        ({"email": "now"}, Wish(in_app=True, email=False), {}, (True, {"email": None})),
        ({"in_app": "off"}, Wish(in_app=True, email=False), {}, (False, {"in_app": "turned_off"})),
    ],
)
def test_what_becomes_of_a_notice(
    own: dict[str, str], wish: Wish | None, lacking: dict[str, str], decided: tuple[bool, dict[str, str | None]]
) -> None:
    assert _decide(Kind.CUSTOMERS_ASSIGNED, own, wish, **lacking) == decided


@given(st.sampled_from(Kind), wishes, modes, modes, st.booleans(), lackings)
def test_nothing_is_lost_in_silence(
    kind: Kind, wish: Wish | None, appointed: Any, own: Any, locked: bool, lacking: dict[Channel, str]
) -> None:
    defaults = Defaults({kind: appointed}, locked={kind: list(MODES)} if locked else {})

    found = decide(kind, wish, defaults, Choices({kind: own}), lacking=lacking, now=NOON, zone=SHANGHAI)

    leaving = [way for way in found.ways if way.code is None]
    assert found.in_app or leaving or [way.channel for way in found.ways][-1:] == [Channel.IN_APP]
    assert not {way.channel for way in leaving} & lacking.keys()
    assert found.in_app or not any(way.code == lacking.get(way.channel) for way in found.ways if way.code)
    assert len({way.channel for way in found.ways}) == len(found.ways)


@pytest.mark.parametrize(
    ("quiet", "moment", "ends"),
    [
        ((time(22), time(8)), "2026-11-26T21:59+08:00", "2026-11-26T21:59+08:00"),
        ((time(22), time(8)), "2026-11-26T22:00+08:00", "2026-11-27T08:00+08:00"),
        ((time(22), time(8)), "2026-11-27T07:59+08:00", "2026-11-27T08:00+08:00"),
        ((time(22), time(8)), "2026-11-27T08:00+08:00", "2026-11-27T08:00+08:00"),
        ((time(12), time(14)), "2026-11-26T13:00+08:00", "2026-11-26T14:00+08:00"),
        (None, "2026-11-26T03:00+08:00", "2026-11-26T03:00+08:00"),
    ],
)
def test_quiet_hours_may_span_midnight(quiet: Hours | None, moment: str, ends: str) -> None:
    assert after_quiet(datetime.fromisoformat(moment), quiet, SHANGHAI) == datetime.fromisoformat(ends)


def test_the_hour_that_comes_twice_ends_after_it_began() -> None:
    berlin, quiet = ZoneInfo("Europe/Berlin"), (time(22), time(2, 30))
    again = datetime(2026, 10, 25, 2, 15, tzinfo=berlin, fold=1).astimezone(UTC)

    assert after_quiet(again, quiet, berlin) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(moments, times, times, st.sampled_from(ZONES))
def test_what_waits_for_the_end_of_quiet_hours_waits_a_day_at_most_and_goes_out_when_they_have_ended(
    moment: datetime, begins: time, ends: time, zone: ZoneInfo
) -> None:
    assume(begins != ends)

    found = after_quiet(moment, (begins, ends), zone)

    assert moment <= found <= moment + timedelta(hours=25)
    local = found.astimezone(zone)
    clocks_change = local.utcoffset() != (found - timedelta(hours=2)).astimezone(zone).utcoffset()
    assert found == moment or local.time() == ends or clocks_change


@given(moments, times, st.sampled_from(ZONES))
def test_a_digest_goes_out_once_on_each_of_the_organisations_days(moment: datetime, at: time, zone: ZoneInfo) -> None:
    slots = [next_digest(moment, at, zone)]
    for _ in range(3):
        slots.append(next_digest(slots[-1], at, zone))

    assert moment < slots[0] <= moment + timedelta(hours=25)
    days: list[date] = [slot.astimezone(zone).date() for slot in slots]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 3


def put(
    opened: OpenService, member: Member, body: dict[str, Any], version: str | None, path: str = "/preferences"
) -> Any:
    """The reply to a PUT of preferences."""
    matching = {} if version is None else {"If_Match": f'"{version}"'}
    return opened.client.put(f"/api/v1{path}", json=body, headers=opened.headers(member, **matching))


def channels_of(view: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """What the view says of one kind."""
    return next(one["channels"] for category in view["categories"] for one in category["kinds"] if one["kind"] == kind)


def test_whoever_chose_nothing_has_the_defaults_in_their_language(notify: OpenService) -> None:
    reply = get(notify, notify.organisation.sales, "/preferences", Accept_Language="zh")

    assert (reply.headers["ETag"], reply.json["zone"], reply.json["quiet_hours"]) == ('"0"', "Asia/Shanghai", None)
    assert reply.json["digest"] == {"at": "09:00", "source": "built_in"}
    assert {one["kind"] for category in reply.json["categories"] for one in category["kinds"]} == set(Kind)
    work = next(category for category in reply.json["categories"] if category["category"] == "work")
    assert (work["name"], work["kinds"][0]["name"]) == ("工作", "每日待办")
    assert work["kinds"][0]["channels"]["email"] == {
        "mode": "now",
        "source": "built_in",
        "locked": False,
        "modes": ["off", "now", "daily"],
    }


def test_channels_that_tell_nobody_here_say_why(notify_without_mail: OpenService) -> None:
    reply = get(notify_without_mail, notify_without_mail.organisation.sales, "/preferences", Accept_Language="en")

    assert reply.json["unavailable"] == {
        "email": "No mail server is configured",
        "robot": "No robot has been set up",
    }


def test_a_member_chooses_and_goes_back(notify: OpenService) -> None:
    sales, colleague = notify.organisation.sales, notify.organisation.colleague
    body = {
        "matrix": {"work_due": {"email": "daily", "in_app": "now"}},
        "quiet_hours": {"begins": "22:00", "ends": "08:00"},
        "digest_at": "18:30",
    }

    chosen = put(notify, sales, body, "0")

    assert (chosen.status_code, chosen.headers["ETag"]) == (200, '"1"')
    assert channels_of(chosen.json, Kind.WORK_DUE)["email"]["source"] == "own"
    # What equals the default is not kept: it follows the default.
    assert channels_of(chosen.json, Kind.WORK_DUE)["in_app"]["source"] == "built_in"
    assert chosen.json["quiet_hours"] == {"begins": "22:00", "ends": "08:00", "source": "own"}
    assert get(notify, sales, "/preferences").json == chosen.json
    assert get(notify, colleague, "/preferences").json["version"] == 0
    back = put(notify, sales, {}, "1")
    assert (back.json["version"], back.json["quiet_hours"], back.json["digest"]["at"]) == (2, None, "09:00")
    assert (
        channels_of(back.json, Kind.WORK_DUE)["email"]
        == channels_of(get(notify, colleague, "/preferences").json, Kind.WORK_DUE)["email"]
    )
    with notify.database.reading() as session:
        entries = find_audit(session, AuditFilter(action="preferences."), None, 10)
    assert [entry.actor_id for entry in entries] == [sales.id] * 2


def test_only_the_version_that_was_read_is_changed(notify: OpenService) -> None:
    sales = notify.organisation.sales
    assert put(notify, sales, {}, None).status_code == 428
    put(notify, sales, {"digest_at": "10:00"}, "0")

    stale = put(notify, sales, {"digest_at": "11:00"}, "0")

    assert (stale.status_code, stale.json["version"]) == (412, 1)
    assert stale.json["conflicts"] == [{"field": "digest_at", "current": "10:00:00", "yours": "11:00:00"}]


def test_of_two_first_choices_at_once_one_is_kept(notify: OpenService) -> None:
    sales = notify.organisation.sales
    bodies = [{"digest_at": f"1{number}:00"} for number in range(4)]

    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda body: put(notify, sales, body, "0"), bodies))

    assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"matrix": {"nothing/known": {"email": "now"}}}, "/matrix/nothing~1known"),
        ({"matrix": {"work_due": {"pigeon": "now"}}}, "/matrix/work_due/pigeon"),
        ({"matrix": {"work_due": {"sms": "now"}}}, "/matrix/work_due/sms"),
        ({"matrix": {"work_due": {"in_app": "daily"}}}, "/matrix/work_due/in_app"),
        ({"matrix": {"work_due": {"email": 1}}}, "/matrix/work_due/email"),
        ({"matrix": {"work_due": "now"}}, "/matrix/work_due"),
        ({"quiet_hours": {"begins": "22:00"}}, "/quiet_hours/ends"),
        ({"quiet_hours": {"begins": "24:00", "ends": "08:00"}}, "/quiet_hours/begins"),
        ({"digest_at": "9 o'clock"}, "/digest_at"),
        ({"locked": {}}, "/locked"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(notify: OpenService, body: dict[str, Any], pointer: str) -> None:
    reply = put(notify, notify.organisation.sales, body, "0")

    assert reply.status_code == 422
    assert pointer in [error["pointer"] for error in reply.json["errors"]]


def test_an_administrator_says_what_holds_for_whoever_chose_nothing_and_what_nobody_may_change(
    notify: OpenService,
) -> None:
    people = notify.organisation
    put(notify, people.colleague, {"matrix": {"work_due": {"email": "off"}, "task_ended": {"in_app": "off"}}}, "0")
    body = {
        "matrix": {"work_due": {"email": "daily"}},
        "locked": {"work_due": ["email"], "task_ended": []},
        "quiet_hours": {"begins": "21:00", "ends": "07:00"},
    }

    reply = put(notify, people.admin, body, "0", "/preferences/defaults")

    assert (reply.status_code, reply.json["version"]) == (200, 1)
    assert get(notify, people.admin, "/preferences/defaults").json == reply.json
    for member in (people.sales, people.colleague):
        view = get(notify, member, "/preferences").json
        email = channels_of(view, Kind.WORK_DUE)["email"]
        assert (email["mode"], email["source"], email["locked"]) == ("daily", "administrator", True)
        assert view["quiet_hours"]["source"] == "administrator"
    assert channels_of(view, Kind.TASK_ENDED)["in_app"]["mode"] == "off"
    refused = put(notify, people.sales, {"matrix": {"work_due": {"email": "off"}}}, "0")
    [error] = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["code"]) == (
        422,
        "/matrix/work_due/email",
        "preference_locked",
    )
    assert put(notify, people.sales, {"matrix": {"work_due": {"email": "daily"}}}, "0").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"locked": {"nothing": ["email"]}}, "/locked/nothing"),
        ({"locked": {"work_due": ["pigeon"]}}, "/locked/work_due"),
        ({"matrix": {"work_due": {"robot": "daily"}}}, "/matrix/work_due/robot"),
    ],
)
def test_defaults_that_do_not_exist_are_refused_by_name(
    notify: OpenService, body: dict[str, Any], pointer: str
) -> None:
    reply = put(notify, notify.organisation.admin, body, "0", "/preferences/defaults")

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])


def test_defaults_need_the_right_to_configure(notify: OpenService) -> None:
    people = notify.organisation

    for member in (people.sales, people.supervisor, people.operations):
        assert get(notify, member, "/preferences/defaults").status_code == 403
        assert put(notify, member, {}, "0", "/preferences/defaults").status_code == 403
