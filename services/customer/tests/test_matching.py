"""Which two customers are one company (G-01 to G-03): measured on a labelled set, and what holds for any two."""

import csv
from collections import Counter
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_customer.matching.rules import (
    MOST_KEYS,
    Company,
    Counted,
    Features,
    Likeness,
    Rarity,
    blocking_keys,
    core_grams,
    features,
    likeness,
)
from crm_customer.matching.words import folded

YOUNG = Counted({}, customers=0)
SHOWN = {"same", "likely"}
HELD_OUT = 2  # the third that the rules were not tuned on


class Pair(NamedTuple):
    same: bool
    kind: str
    one: Features
    other: Features
    third: int


def company(name: str, more: str) -> Company:
    """A company of the set: its name, and what else is known as "phone=010-82520001 + alias=春松,Chatopera"."""
    known = dict(said.split("=", 1) for said in more.split(" + ") if said)
    return Company(
        name,
        aliases=tuple(known["alias"].split(",")) if "alias" in known else (),
        phones=(known["phone"],) if "phone" in known else (),
        emails=(known["email"],) if "email" in known else (),
        credit_code=known.get("code", ""),
        city=known.get("city", ""),
    )


def labelled() -> list[Pair]:
    """The set; the third that a pair belongs to follows from its words."""
    text = Path(__file__).with_name("labelled_pairs.csv").read_text(encoding="utf-8")
    return [
        Pair(
            row["same"] == "yes",
            row["kind"],
            features(company(row["a"], row["more_a"])),
            features(company(row["b"], row["more_b"])),
            sha256("|".join((row["a"], row["b"], row["more_a"], row["more_b"])).encode()).digest()[0] % 3,
        )
        for row in csv.DictReader(text.splitlines(), delimiter="|")
    ]


PAIRS = labelled()


def of_the_set() -> Counted:
    """Rarity in a base of the companies of the set."""
    grams = Counter(gram for pair in PAIRS for side in (pair.one, pair.other) for gram in core_grams(side.core))
    return Counted(grams, customers=2 * len(PAIRS))


def alike(one: Company, other: Company, rarity: Rarity = YOUNG) -> Likeness:
    return likeness(features(one), features(other), rarity)


def test_the_set_is_large_and_hard() -> None:
    assert len(PAIRS) >= 360
    assert sum(not pair.same and pair.kind.startswith("hard") for pair in PAIRS) >= 120


@pytest.mark.parametrize("rarity", [YOUNG, of_the_set()], ids=["young base", "base of the set"])
@pytest.mark.parametrize("thirds", [{HELD_OUT}, {0, 1, 2}], ids=["held out", "all"])
def test_what_is_shown_as_a_duplicate_is_one_and_few_are_missed(thirds: set[int], rarity: Counted) -> None:
    pairs = [pair for pair in PAIRS if pair.third in thirds]
    shown = [pair for pair in pairs if likeness(pair.one, pair.other, rarity).level in SHOWN]
    right = sum(pair.same for pair in shown)
    assert right / len(shown) >= 0.95
    assert right / sum(pair.same for pair in pairs) >= 0.85


def test_two_of_one_company_share_a_key() -> None:
    rarity = of_the_set()
    same = [pair for pair in PAIRS if pair.same]
    found = sum(not set(blocking_keys(pair.one, rarity)).isdisjoint(blocking_keys(pair.other, rarity)) for pair in same)
    assert found / len(same) >= 0.95


@pytest.mark.parametrize(
    ("name", "core", "region", "branch"),
    [
        ("北京华夏春松科技有限公司", "华夏春松科技", "110000", ""),
        ("华夏春松（北京）科技有限公司", "华夏春松科技", "110000", ""),
        ("华夏春松北京科技有限公司", "华夏春松科技", "110000", ""),
        ("华夏春松", "华夏春松", "", ""),
        ("臺灣積體電路製造股份有限公司", "积体电路制造", "710000", ""),
        ("江苏省苏州市昆山市恒通五金厂", "恒通五金厂", "320583", ""),
        ("南京市鼓楼区顺发商行", "顺发商行", "320106", ""),
        ("鼓楼区顺发商行", "鼓楼区顺发商行", "", ""),  # several cities have one
        ("北京东方雨虹防水", "东方雨虹防水", "110000", ""),  # not of 东方市
        ("阿里巴巴（中国）有限公司", "阿里巴巴", "", ""),  # not of 阿里地区
        ("昆山市千灯镇南野科技店", "南野科技店", "320583", ""),
        ("环球国际航运青岛有限公司", "环球国际航运", "370200", ""),
        ("北京云创科技有限公司（总部）", "云创科技", "110000", ""),
        ("北京市政云创", "市政云创", "110000", ""),  # not 政云创 of 北京市
        ("北京市云创", "云创", "110000", ""),
        ("上海电气", "上海电气", "310000", ""),  # only a trade would be left
        ("华夏春松科技有限公司上海分公司", "华夏春松科技", "", "上海分公司"),
        ("华夏春松科技上海市分公司", "华夏春松科技", "", "上海分公司"),
        ("顺丰速运第三分公司", "顺丰速运", "", "三分公司"),
        ("海底捞火锅（西单店）", "海底捞火锅", "", "西单店"),
        ("Beijing Huaxia Chunsong Co., Ltd.", "huaxiachunsong", "110000", ""),
        ("Acme Trading (Hong Kong) Limited", "acmetrading", "810000", ""),
        ("ＡＢＢ机器人（上海）", "abb机器人", "310000", ""),
        ("有限公司", "有限公司", "", ""),
        ("（）——", "", "", ""),
    ],
)
def test_a_name_is_taken_apart(name: str, core: str, region: str, branch: str) -> None:
    read = features(Company(name))
    assert (read.core, read.region, read.branch) == (core, region, branch)


def test_the_customers_city_stands_in_for_a_name_without_region() -> None:
    assert features(Company("华夏春松", city="310100")).region == "310100"
    assert features(Company("北京华夏春松", city="310100")).region == "110000"


def test_a_former_name_in_brackets_is_an_alias() -> None:
    read = features(Company("甲辰互动科技有限公司（原乙巳互娱科技有限公司）", aliases=("Chatopera", "甲辰互动科技")))
    assert read.alias_cores == ("乙巳互娱科技", "chatopera")


@pytest.mark.parametrize(
    ("given_", "numbers"),
    [
        ("+86 138-0013-8001", {"13800138001"}),
        ("008613800138001", {"13800138001"}),
        ("010-62345678转8001", {"01062345678"}),
        ("86 10 62345678", {"01062345678"}),
        ("(0731)84419027;13874900116", {"073184419027", "13874900116"}),
        ("+852 2345 6789", {"85223456789"}),
        ("00000000000", set()),
        ("无", set()),
    ],
)
def test_a_phone_is_read_however_it_is_written(given_: str, numbers: set[str]) -> None:
    assert features(Company("华夏春松", phones=(given_,))).phones == numbers


def test_domains_that_everybody_uses_say_nothing() -> None:
    emails = ("a@QQ.com", "b@163.com", "hain@Chatopera.com ", "none", "")
    assert features(Company("华夏春松", emails=emails)).domains == {"chatopera.com"}


CODE, OTHER_CODE = "91110108MA01F5XB3K", "91110105MA7C2HLT9D"


@pytest.mark.parametrize(
    ("one", "other", "level", "reasons"),
    [
        (Company("甲", credit_code=CODE), Company("乙", credit_code=CODE.lower()), "same", ("credit_code",)),
        (
            Company("北京华夏春松", credit_code=CODE, phones=("13800138001",)),
            Company("北京华夏春松", credit_code=OTHER_CODE, phones=("13800138001",)),
            "none",
            (),
        ),
        (Company("北京华夏春松科技"), Company("北京华夏春松科技有限公司"), "same", ("name",)),
        (Company("北京华夏春松科技有限公司"), Company("华夏春松"), "likely", ("core",)),
        (Company("北京华夏春松科技有限公司"), Company("春松"), "possible", ("similar",)),
        (Company("北京华夏春松科技"), Company("北京华夏春淞科技"), "likely", ("similar",)),
        (Company("北京华夏春松科技"), Company("Chatopera", aliases=("华夏春松",)), "likely", ("alias",)),
        (Company("北京华夏春松"), Company("上海华夏春松"), "possible", ("core",)),
        (
            Company("北京华夏春松", phones=("13800138001",)),
            Company("上海华夏春松", phones=("13800138001",)),
            "likely",
            ("phone", "core"),
        ),
        (
            Company("华夏春松云", emails=("a@cs.cn",)),
            Company("华夏春松", emails=("b@cs.cn",)),
            "likely",
            ("similar", "domain"),
        ),
        (Company("春松茶", phones=("13800138001",)), Company("竹叶青", phones=("13800138001",)), "likely", ("phone",)),
        (Company("华夏春松科技"), Company("华夏春松科技上海分公司"), "possible", ("name",)),
        (Company("华夏春松集团"), Company("华夏春松投资"), "possible", ("core",)),
        (Company("大众汽车"), Company("小众汽车"), "none", ()),
        (Company("华夏"), Company("北京华夏科技有限公司"), "possible", ("core",)),
        (Company("华夏春松"), Company("华夏春淞"), "possible", ("similar",)),  # 春松 may be no part of the brand
        (Company("青岛海信网络科技"), Company("海信网络"), "likely", ("core",)),
        (Company("北京"), Company("北京银行"), "possible", ("core",)),
        (Company("。"), Company("（）"), "none", ()),
        (Company("天源"), Company("天源商贸"), "possible", ("core",)),  # many are called 天源
        (Company("北京天源"), Company("北京天源商贸"), "likely", ("core",)),
    ],
)
def test_how_alike_two_are(one: Company, other: Company, level: str, reasons: tuple[str, ...]) -> None:
    found = alike(one, other)
    assert (found.level, found.reasons) == (level, reasons)


def test_a_brand_that_many_have_says_less() -> None:
    many = Counted({"巴蜀": 50_000, "蜀香": 50_000}, customers=1_000_000)
    one, other = Company("成都巴蜀香餐饮"), Company("巴蜀香")
    assert alike(one, other, many).level == "possible"
    assert alike(one, other, Counted({"巴蜀": 3, "蜀香": 3}, customers=1_000_000)).level == "likely"


def test_usual_words_weigh_little_even_in_a_young_base() -> None:
    assert YOUNG.weight("科技") < YOUNG.weight("春松") == 1


@given(st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_the_rarer_gram_is_never_the_lighter(one: int, other: int) -> None:
    weights = Counted({"春": max(one, other), "松": min(one, other)}, customers=1_000_000)
    assert 0 < weights.weight("春") <= weights.weight("松") <= 1


PIECES = [
    "北京", "上海市", "昆山", "华夏", "春松", "春淞", "大", "小", "一", "科技", "投资", "集团", "贸易", "有限公司",
    "股份", "分公司", "第二", "（", "）", "(", ")", "臺灣", "Acme", "Ltd.", "3M", "原", "-", "　",
    "é", "ß", "ﹰ",
]  # fmt: skip
names = st.one_of(st.lists(st.sampled_from(PIECES), max_size=7).map("".join), st.text(max_size=20))
companies = st.builds(
    Company,
    names,
    aliases=st.lists(names, max_size=2).map(tuple),
    phones=st.lists(st.sampled_from(["13800138001", "010-62345678", "无"]), max_size=2).map(tuple),
    emails=st.lists(st.sampled_from(["a@chatopera.com", "b@qq.com", "@"]), max_size=2).map(tuple),
    credit_code=st.sampled_from(["", CODE, OTHER_CODE]),
    city=st.sampled_from(["", "110100", "310115"]),
)


@given(companies, companies)
def test_likeness_is_the_same_both_ways_round(one: Company, other: Company) -> None:
    found = alike(one, other)
    assert found == alike(other, one)
    assert 0 <= found.score <= 1


@given(companies)
def test_a_company_is_like_itself(one: Company) -> None:
    if any(map(str.isalnum, one.name)):
        assert alike(one, one).level in SHOWN


@given(names)
@example("㈀")
@example("ﹰ")
def test_a_name_with_any_letter_or_digit_has_a_core(name: str) -> None:
    # As it is written or as it is read: ㈀ is neither and read as (ᄀ), ﹰ is a letter and read as a mark.
    assert bool(features(Company(name)).core) == any(map(str.isalnum, name + folded(name)))


CHINESE = st.lists(
    st.sampled_from([piece for piece in PIECES if not piece.isascii() and piece.isalpha()]), min_size=1
).map("".join)
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@given(CHINESE, st.lists(st.sampled_from(" 　·.-—_，。*"), max_size=6), st.randoms())
def test_spaces_and_punctuation_between_chinese_characters_change_nothing(
    name: str, noise: list[str], random: Random
) -> None:
    noisy = list(name)
    for character in noise:
        noisy.insert(random.randrange(len(noisy) + 1), character)
    assert features(Company("".join(noisy))) == features(Company(name))


@given(st.lists(st.sampled_from([*PIECES, "Harlan & Moss", "Co., Ltd."]), max_size=6).map("".join))
def test_full_width_upper_case_and_the_kind_of_brackets_change_nothing(name: str) -> None:
    assert features(Company(name.translate(WIDE))) == features(Company(name))
    assert features(Company(name.upper())) == features(Company(name))
    assert features(Company(name.translate({"(": "【", ")": "】"}))) == features(Company(name))


@given(companies)
def test_keys_are_few_and_each_once(one: Company) -> None:
    keys = blocking_keys(features(one), YOUNG)
    assert len(keys) == len(set(keys)) <= MOST_KEYS


def test_grams_of_a_core() -> None:
    assert core_grams("春松春松") == ["春松", "松春"]
    assert core_grams("鑫") == ["鑫"]
    assert core_grams("") == []
