"""Birthdays that are kept by the lunar calendar (农历, K-11). Pure functions.

A lunar birthday is month * 100 + day; who was born in a leap month keeps it in the regular one. The calendar is known for
days from 31 January 1900 to 28 January 2101.
"""

import re
import unicodedata
from datetime import date
from functools import lru_cache

from borax.calendars.lunardate import MIN_SOLAR_DATE, LCalendars, LunarDate

FIRST_DAY: date = MIN_SOLAR_DATE
_BIRTHDAYS = tuple(month * 100 + day for month in range(1, 13) for day in range(1, 31))
_UNITS = "一二三四五六七八九十"
_MONTHS = {word: number for number, word in enumerate((*_UNITS, "十一", "十二"), 1)} | {
    "正": 1, "冬": 11, "腊": 12, "臘": 12,
}  # fmt: skip
_DAYS = {
    f"{tens}{word}": number + base
    for base, every in ((0, ("", "初")), (10, ("十",)), (20, ("廿", "二十")))
    for tens in every
    for number, word in enumerate(_UNITS[: 10 if base == 0 else 9], 1)
} | {"二十": 20, "廿": 20, "三十": 30, "卅": 30}
_YEAR_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_LUNAR = re.compile(r"(?:农历|農曆|农曆|阴历|陰曆|旧历|舊曆)[\s:]*")
_WRITTEN = re.compile(
    r"([0-9〇零一二三四五六七八九]{4})\s*[-/.年]\s*([闰閏]?)\s*([0-9]{1,2}|[正一二三四五六七八九十冬腊臘]{1,2})\s*[-/.月]\s*"
    r"([0-9]{1,2}|[初一二三四五六七八九十廿卅]{1,3})\s*日?"
)


def lunar_birthday(birthday: date) -> int:
    """The lunar month and day of a day of birth. Raises ValueError for one of which the calendar is not known."""
    day = LunarDate.from_solar(birthday)
    return int(day.month) * 100 + int(day.day)


def is_lunar(text: str) -> bool:
    """Whether a text says that it is a day of the lunar calendar: 农历1990-08-15."""
    return _LUNAR.match(_plain(text)) is not None


def day_of_lunar(text: str) -> date:
    """The day that is written as 农历1990-08-15, 农历1990年八月十五 or 农历2023年闰二月初一.

    Raises ValueError for one that is written otherwise, or that the calendar does not have.
    """
    written = _WRITTEN.fullmatch(_LUNAR.sub("", _plain(text), count=1))
    if written is None:
        raise ValueError(text)
    year, leap, month, day = written.groups()
    found = LunarDate(int(year.translate(_YEAR_DIGITS)), _number(month, _MONTHS), _number(day, _DAYS), int(bool(leap)))
    day_of_birth: date = found.to_solar_date()
    return day_of_birth


def next_lunar_birthday(birthday: int, today: date) -> date:
    """When a lunar birthday is kept next; that of a 30th on the 29th where the month has no more days."""
    year = LunarDate.from_solar(today).year
    kept = _in_year(birthday, year)
    return kept if kept >= today else _in_year(birthday, year + 1)


@lru_cache(maxsize=8)
def lunar_birthdays_between(first: date, last: date) -> tuple[tuple[int, date], ...]:
    """Lunar birthdays that are kept from `first` to `last`, which are less than a year apart, each with its day."""
    coming = ((birthday, next_lunar_birthday(birthday, first)) for birthday in _BIRTHDAYS)
    return tuple((birthday, kept) for birthday, kept in coming if kept <= last)


def _in_year(birthday: int, year: int) -> date:
    month, day = divmod(birthday, 100)
    kept: date = LunarDate(year, month, min(day, LCalendars.ndays(year, month))).to_solar_date()
    return kept


def _number(text: str, words: dict[str, int]) -> int:
    number = int(text) if text.isdecimal() else words.get(text)
    if number is None:
        raise ValueError(text)
    return number


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()
