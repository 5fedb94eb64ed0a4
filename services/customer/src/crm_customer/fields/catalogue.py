"""The fields that are part of the product, and where each can be used (decision 0019). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from crm_customer.dictionaries.rules import CONTACT_DICTIONARIES, DICTIONARIES
from crm_customer.fields.operators import CUSTOMER_FIELDS, OPERATORS, Operator
from crm_customer.fields.rules import Kind

# Besides the kinds of custom fields: what refers to something, and what is not filled in.
REGION, RECORD, MEMBER, MOMENT, TAGS, FLAG = "region", "record", "member", "moment", "tags", "flag"


@dataclass(frozen=True)
class BuiltIn:
    """A field of customers or contacts. `column`: of lists; `batch`: many can be given one value at once; `imported`:
    files can bring it.
    """

    key: str
    zh: str
    en: str
    kind: str = Kind.TEXT
    group: str = "customer"
    required: bool = False
    column: bool = False
    batch: bool = False
    imported: bool = False

    @property
    def operators(self) -> tuple[Operator, ...]:
        """How lists of customers can be filtered by it."""
        kind = CUSTOMER_FIELDS.get(self.key) if self.group in ("customer", "place") else None
        return OPERATORS[kind] if kind else ()

    @property
    def dictionary(self) -> str | None:
        """Where its options are kept."""
        return self.key if self.key in (*DICTIONARIES, *CONTACT_DICTIONARIES) else None


def _filled(key: str, zh: str, en: str) -> BuiltIn:
    """A field of the customer's form."""
    kind = {"province": REGION, "city": REGION}.get(key, Kind.TEXT)
    if key in DICTIONARIES or key == "rating":
        kind = Kind.SINGLE_CHOICE
    return BuiltIn(key, zh, en, kind, required=key == "name", column=True, batch=key != "name", imported=True)


def _known(key: str, zh: str, en: str, kind: str, group: str = "place") -> BuiltIn:
    """What follows from what happens to the customer."""
    return BuiltIn(key, zh, en, kind, group, column=True, imported=key in ("owner_id", "tags"))


def _of_primary(key: str, zh: str, en: str) -> BuiltIn:
    return BuiltIn(f"contact.{key}", zh, en, group="contact", column=True, imported=True)


def _extended(key: str, zh: str, en: str) -> BuiltIn:
    kind = {"parent_customer_id": RECORD, "campaign_id": RECORD}.get(key, Kind.TEXT)
    if key in ("annual_revenue", "employees", "latitude", "longitude"):
        kind = Kind.NUMBER
    return BuiltIn(f"profile.{key}", zh, en, kind, group="profile", imported=True)


def _of_contact(key: str, zh: str, en: str, kind: str = Kind.TEXT) -> BuiltIn:
    return BuiltIn(key, zh, en, kind, group="contact", required=key == "name", column=True)


CUSTOMERS = (
    _filled("name", "客户名称", "Customer name"),
    _filled("customer_type", "客户类型", "Customer type"),
    _filled("kind", "客户形态", "Kind of customer"),
    _filled("industry", "客户行业", "Industry"),
    _filled("source", "客户信息来源", "Information source"),
    _filled("company_nature", "公司性质", "Company nature"),
    _filled("postcode", "邮编", "Postcode"),
    _filled("annual_turnover", "年营业额", "Annual turnover"),
    _filled("rating", "评分", "Rating"),
    _filled("province", "省份", "Province"),
    _filled("city", "城市", "City"),
    _filled("address_detail", "详细地址", "Address within the city"),
    _filled("employee_count", "员工数", "Number of employees"),
    _filled("level", "客户级别", "Customer level"),
    _filled("stage", "跟进阶段", "Follow-up stage"),
    _filled("intention", "客户意向", "Customer intention"),
    _filled("status", "客户状态", "Customer status"),
    _filled("wechat_nickname", "微信昵称", "WeChat nickname"),
    _filled("remark", "备注", "Remark"),
    _of_primary("name", "联系人姓名", "Contact name"),
    _of_primary("salutation", "称呼", "Salutation"),
    _of_primary("position", "职位", "Position"),
    _of_primary("mobile", "手机", "Mobile"),
    _of_primary("phone", "电话", "Phone"),
    _of_primary("email", "邮箱", "E-mail"),
    _of_primary("qq", "QQ", "QQ"),
    _of_primary("remark", "联系人备注", "Contact remark"),
    _known("address", "客户联系地址", "Contact address", Kind.TEXT),
    _known("owner_id", "负责人", "Owner", MEMBER),
    _known("pool_id", "客户池", "Pool", RECORD),
    _known("created_by", "创建人", "Creator", MEMBER),
    _known("created_at", "创建时间", "Created time", MOMENT),
    _known("updated_at", "修改时间", "Changed time", MOMENT),
    _known("expires_on", "距到期天数", "Days until expiry", Kind.DATE),
    _known("wecom_friend", "企微好友", "WeCom friend", FLAG),
    _known("won", "已成交", "Won", FLAG),
    _known("tags", "标签", "Tags", TAGS),
    _extended("aliases", "客户别名", "Aliases"),
    _extended("credit_code", "统一社会信用代码", "Unified social credit code"),
    _extended("website", "网址", "Website"),
    _extended("email", "Email 地址", "E-mail address"),
    _extended("non_primary_emails", "非主邮件地址", "Non-primary e-mail addresses"),
    _extended("phone_office", "办公电话", "Office phone"),
    _extended("phone_alternate", "其他电话", "Other phone"),
    _extended("fax", "传真", "Fax"),
    _extended("billing_street", "[账单地址]街道", "Billing street"),
    _extended("billing_city", "[账单地址]城市", "Billing city"),
    _extended("billing_province", "[账单地址]省份", "Billing province"),
    _extended("billing_postcode", "[账单地址]邮编", "Billing postcode"),
    _extended("billing_country", "[账单地址]国家", "Billing country"),
    _extended("shipping_street", "[送货地址]街道", "Shipping street"),
    _extended("shipping_city", "[送货地址]城市", "Shipping city"),
    _extended("shipping_province", "[送货地址]省份", "Shipping province"),
    _extended("shipping_postcode", "[送货地址]邮编", "Shipping postcode"),
    _extended("shipping_country", "[送货地址]国家", "Shipping country"),
    _extended("description", "说明", "Description"),
    _extended("annual_revenue", "年收入", "Annual revenue"),
    _extended("employees", "员工", "Employees"),
    _extended("sic_code", "标准行业代码", "SIC code"),
    _extended("ticker_symbol", "股票代码", "Ticker symbol"),
    _extended("parent_customer_id", "上级客户", "Parent customer"),
    _extended("ownership", "所有权", "Ownership"),
    _extended("campaign_id", "营销活动 ID", "Campaign ID"),
    _extended("address", "地址", "Address"),
    _extended("geocode_status", "地理编码状态", "Geocode status"),
    _extended("latitude", "纬度", "Latitude"),
    _extended("longitude", "经度", "Longitude"),
)
CONTACTS = (
    _of_contact("name", "联系人姓名", "Contact name"),
    _of_contact("salutation", "尊称", "Title"),
    _of_contact("customer_id", "所属客户", "Customer", RECORD),
    _of_contact("position", "职位", "Position"),
    _of_contact("phone", "电话", "Phone"),
    _of_contact("mobile", "手机", "Mobile"),
    _of_contact("qq", "QQ", "QQ"),
    _of_contact("email", "Email", "E-mail"),
    _of_contact("address", "联系地址", "Contact address"),
    _of_contact("postcode", "邮编", "Postcode"),
    _of_contact("birthday", "生日", "Birthday", Kind.DATE),
    _of_contact("birthday_is_lunar", "农历生日", "Lunar birthday", FLAG),
    _of_contact("contact_group", "联系人分组", "Contact group", Kind.SINGLE_CHOICE),
    _of_contact("remark", "备注", "Remark"),
    _of_contact("owner_id", "负责人", "Owner", MEMBER),
    _of_contact("tags", "标签", "Tags", TAGS),
    _of_contact("created_by", "创建人", "Creator", MEMBER),
    _of_contact("created_at", "创建时间", "Created time", MOMENT),
    _of_contact("updated_at", "修改时间", "Changed time", MOMENT),
)
CATALOGUE: Mapping[str, tuple[BuiltIn, ...]] = {"customers": CUSTOMERS, "contacts": CONTACTS}
