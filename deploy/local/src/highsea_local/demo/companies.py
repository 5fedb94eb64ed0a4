"""Realistic Chinese companies and contacts, the same for the same seed."""

import random
from dataclasses import dataclass

HEADERS = (
    "客户名称",
    "客户行业",
    "客户信息来源",
    "公司性质",
    "邮编",
    "年营业额",
    "评分",
    "省份",
    "城市",
    "详细地址",
    "首要联系人姓名",
    "称呼",
    "邮箱",
    "职位",
    "QQ",
    "手机",
    "联系人备注",
    "员工数",
    "备注",
)

_PLACES = (
    ("上海市", "上海市", "上海", "200000", ("浦东新区张江路", "徐汇区漕溪北路", "闵行区申长路", "杨浦区大学路")),
    ("浙江省", "杭州市", "杭州", "310000", ("西湖区文三路", "滨江区江南大道", "余杭区文一西路", "上城区解放路")),
    ("浙江省", "宁波市", "宁波", "315000", ("鄞州区天童北路", "海曙区中山西路", "北仑区明州路")),
    ("江苏省", "苏州市", "苏州", "215000", ("工业园区星湖街", "姑苏区干将东路", "吴中区东吴北路")),
    ("江苏省", "南京市", "南京", "210000", ("鼓楼区中山北路", "江宁区双龙大道", "建邺区江东中路")),
    ("广东省", "深圳市", "深圳", "518000", ("南山区科苑路", "福田区深南大道", "龙华区民治大道", "宝安区前进一路")),
    ("广东省", "广州市", "广州", "510000", ("天河区体育西路", "番禺区大学城外环西路", "黄埔区科学大道")),
    ("福建省", "厦门市", "厦门", "361000", ("思明区软件园二期", "湖里区枋湖南路")),
    ("四川省", "成都市", "成都", "610000", ("高新区天府大道", "武侯区人民南路")),
    ("湖北省", "武汉市", "武汉", "430000", ("洪山区珞喻路", "江汉区解放大道")),
)
_CORES = [
    "华夏",
    "春松",
    "明德",
    "启航",
    "云帆",
    "锦程",
    "博远",
    "恒信",
    "瑞丰",
    "天泽",
    "嘉禾",
    "鼎盛",
    "宏图",
    "卓越",
    "新睿",
    "智联",
    "海纳",
    "优品",
    "和信",
    "凯利",
    "安达",
    "百川",
    "长青",
    "德润",
    "飞扬",
    "光华",
    "汇通",
    "吉祥",
    "康宁",
    "蓝海",
    "美辰",
    "诺亚",
    "鹏程",
    "千禧",
    "荣升",
    "尚品",
    "腾达",
    "万象",
    "信诚",
    "永兴",
]
_TRADES = {
    "教育/培训": ("教育科技", "培训", "教育咨询", "文化传播"),
    "电子商务": ("电子商务", "网络科技", "信息技术", "供应链管理"),
    "对外贸易": ("国际贸易", "进出口", "外贸", "国际物流"),
    "其他": ("机械设备", "医疗器械", "环保科技", "建筑工程", "食品", "新材料"),
}
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
_GIVEN = [
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "丽",
    "强",
    "磊",
    "军",
    "洋",
    "勇",
    "艳",
    "杰",
    "娟",
    "涛",
    "明",
    "超",
    "秀英",
    "建国",
    "晓东",
    "雨桐",
    "子涵",
    "浩然",
    "思远",
    "文博",
    "佳怡",
    "志强",
    "海燕",
    "立新",
    "俊熙",
]
_TITLES = ("总经理", "采购经理", "市场总监", "行政主管", "技术负责人", "财务经理", "运营总监", "校长", "店长")
_PREFIXES = ("138", "139", "136", "150", "186", "133", "189", "177", "199", "152")
_REMARKS = ("展会认识", "老客户介绍", "官网留资", "需要报价单", "下季度有采购计划", "对价格敏感", "希望安排演示", "")


@dataclass(frozen=True)
class Row:
    """One row of the workbook, in the order of `HEADERS`."""

    cells: tuple[object, ...]

    def with_cell(self, header: str, value: object) -> "Row":
        """The row with another value in one column."""
        cells = list(self.cells)
        cells[HEADERS.index(header)] = value
        return Row(tuple(cells))


def rows(count: int, seed: int, tag: str = "") -> list[Row]:
    """`count` different companies; `tag` is put into every name and makes them differ from another run's."""
    dice = random.Random(seed)
    names: set[str] = set()
    made: list[Row] = []
    while len(made) < count:
        row = _row(dice, tag, len(made))
        if row.cells[0] not in names:
            names.add(str(row.cells[0]))
            made.append(row)
    return made


def _row(dice: random.Random, tag: str, number: int) -> Row:
    province, city, short, postcode, streets = dice.choice(_PLACES)
    industry = dice.choice(tuple(_TRADES))
    core = "".join(dice.sample(_CORES, 2))
    name = (
        f"{short}{core}{tag}{dice.choice(_TRADES[industry])}{dice.choice(('有限公司', '有限责任公司', '股份有限公司'))}"
    )
    contact = dice.choice(_SURNAMES) + dice.choice(_GIVEN)
    mobile = f"{dice.choice(_PREFIXES)}{dice.randrange(10**4):04d}{number % 10**4:04d}"
    return Row(
        (
            name,
            industry,
            dice.choice(("电话营销", "网络营销", "其他")),
            dice.choice(("合资", "国企", "事业单位", "民营", "民营", "民营", "其他")),
            postcode,
            dice.choice(("0-10万", "10-20万", "20-50万", "50万以上")),
            dice.choice(("一星", "二星", "三星")),
            province,
            city,
            f"{dice.choice(streets)}{dice.randrange(1, 900)}号",
            contact,
            dice.choice(("先生", "女士", "女士", "先生", "老师", "博士")),
            f"contact{dice.randrange(10**6):06d}@example.com",
            dice.choice(_TITLES),
            str(dice.randrange(10**8, 10**10)),
            mobile,
            dice.choice(_REMARKS),
            dice.choice(("5-20人", "20-50人", "50人以上")),
            dice.choice(_REMARKS),
        )
    )
