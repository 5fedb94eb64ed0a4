"""The working-day calendar (工作日历): shipped, read, changed, told to others."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis import clock
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.calendar.rules import shipped
from crm_identity.foundations import ensure_foundations
from directory.calendar import Calendar

HOLIDAY = {"day": "2028-05-01", "working": False, "name": "劳动节"}
AT_WORK = {"day": "2028-04-29", "working": True, "name": ""}


def put(identity: Any, year: int, days: Any, version: int = 1) -> Any:
    path = f"/organisation/calendar/{year}"
    return identity.call("PUT", path, identity.people.admin, {"days": days}, If_Match=f'"{version}"')


def read(identity: Any, year: int) -> Any:
    return identity.call("GET", f"/organisation/calendar?year={year}", identity.people.sales)


def ensure(identity: Any) -> None:
    with identity.service.database.transaction() as session:
        ensure_foundations(session, identity.sealing_key, clock.now())


def test_a_year_is_changed_read_by_everybody_and_told_to_other_services_with_all_others(identity: Any) -> None:
    first = put(identity, 2028, [HOLIDAY, AT_WORK])
    put(identity, 2029, [{"day": "2029-01-01", "working": False}], version=2)

    assert first.json == {"year": 2028, "days": [AT_WORK, HOLIDAY], "version": 2}
    assert read(identity, 2028).json == {**first.json, "version": 3}
    assert read(identity, 2028).headers["ETag"] == '"3"'
    state = identity.service.outbox(pb.OrganisationChanged)[-1].organisation
    assert [(one.day, one.working, one.name) for one in state.calendar] == [
        ("2028-04-29", True, ""),
        ("2028-05-01", False, "劳动节"),
        ("2029-01-01", False, ""),
    ]


def test_a_change_of_the_calendar_is_in_the_audit_with_the_days_before_and_after(identity: Any) -> None:
    put(identity, 2028, [HOLIDAY])
    put(identity, 2028, [], version=2)

    entries = identity.call("GET", "/identity/audit?action=organisation.calendar_changed", identity.people.admin).json
    assert [(one["before"], one["after"]) for one in entries["items"]] == [
        ({"days": [HOLIDAY]}, {"days": []}),
        ({"days": []}, {"days": [HOLIDAY]}),
    ]


def test_a_change_decided_on_an_older_version_is_refused_with_both_calendars(identity: Any) -> None:
    put(identity, 2028, [HOLIDAY])

    stale = put(identity, 2028, [AT_WORK])

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"pointer": "/days", "yours": [AT_WORK], "current": [HOLIDAY]}]
    without = identity.call("PUT", "/organisation/calendar/2028", identity.people.admin, {"days": []})
    assert without.status_code == 428


def test_the_same_days_again_change_nothing(identity: Any) -> None:
    put(identity, 2028, [HOLIDAY])

    again = put(identity, 2028, [HOLIDAY], version=2)

    assert again.json["version"] == 2
    assert len(identity.service.outbox(pb.OrganisationChanged)) == 1


@pytest.mark.parametrize(
    ("days", "pointer", "code"),
    [
        ([HOLIDAY, HOLIDAY], "/days/1/day", "day_twice"),
        ([AT_WORK, {"day": "2029-01-01", "working": False}], "/days/1/day", "not_in_year"),
        ([{"day": "2028-02-30", "working": False}], "/days/0/day", "date_from_datetime_parsing"),
        ([{"day": "2028-02-01"}], "/days/0/working", "missing"),
    ],
)
def test_days_that_cannot_be_are_named(identity: Any, days: Any, pointer: str, code: str) -> None:
    reply = put(identity, 2028, days)

    assert reply.status_code == 422
    assert [(one["pointer"], one["code"]) for one in reply.json["errors"]] == [(pointer, code)]


def test_a_year_that_nobody_plans_for_is_not_found(identity: Any) -> None:
    assert put(identity, 99999, []).status_code == 404
    assert read(identity, 1999).status_code == 422


def test_all_years_together_are_bounded_since_each_change_tells_them_all(identity: Any) -> None:
    def whole(year: int) -> Any:
        first, days = date(year, 1, 1), date(year + 1, 1, 1) - date(year, 1, 1)
        return [{"day": (first + timedelta(days=n)).isoformat(), "working": True} for n in range(days.days)]

    for version, year in enumerate((2028, 2029), start=1):
        assert put(identity, year, whole(year), version).status_code == 200
    full = put(identity, 2030, whole(2030), version=3)

    assert (full.status_code, full.json["code"]) == (409, "calendar_full")
    put(identity, 2028, [], version=3)
    assert put(identity, 2030, whole(2030), version=4).status_code == 200


def test_only_who_manages_the_organisation_changes_its_calendar(identity: Any) -> None:
    path = "/organisation/calendar/2028"
    reply = identity.call("PUT", path, identity.people.sales, {"days": [HOLIDAY]}, If_Match='"1"')

    assert (reply.status_code, reply.json["permission"]) == (403, "organisation.manage")


def test_a_release_brings_its_years_once_and_leaves_what_administrators_entered_or_emptied(identity: Any) -> None:
    # As an installation has it that entered a day of 2026 before this release knew the year.
    entered = [{"day": "2026-01-02", "working": False, "name": "公司年会"}]
    put(identity, 2026, entered)
    ensure(identity)

    assert read(identity, 2026).json["days"] == entered
    assert read(identity, 2027).json["days"] == shipped()["2027"]
    told = identity.service.outbox(pb.OrganisationChanged)
    assert len(told[-1].organisation.calendar) == 1 + len(shipped()["2027"])

    put(identity, 2027, [], version=3)
    ensure(identity)

    assert read(identity, 2027).json["days"] == []


def test_a_new_organisation_has_the_shipped_calendar_from_its_first_moment(bare: Any) -> None:
    with bare.database.transaction() as session:
        ensure_foundations(session, bytes(32), clock.now())

    [event] = bare.outbox(pb.OrganisationChanged)
    assert (event.organisation.version, len(event.organisation.calendar)) == (1, sum(map(len, shipped().values())))


def test_the_year_2026_is_as_the_state_council_arranged_it() -> None:
    days = {date.fromisoformat(str(one["day"])): bool(one["working"]) for one in shipped()["2026"]}

    assert len(days) == 33 + 6
    # 2026 has 261 weekdays; 19 of them are off, and six weekends are worked.
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sum(map(Calendar(days).works_on, year)) == 248
    assert all(day.weekday() >= 5 for day, working in days.items() if working)
