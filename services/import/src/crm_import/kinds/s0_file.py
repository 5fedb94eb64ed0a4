"""The customers' file of S0 (T-1): its 40 columns, and the fields that only such files have (A-78)."""

from crm_import.kinds.kind import Field, Form, KnownFile


def _field(name: str, zh: str, en: str, *headers: str, form: Form = Form.TEXT) -> Field:
    return Field(f"profile.{name}", zh, en, headers, in_template=False, form=form)


# fmt: off
PROFILE_FIELDS = (
    _field("website", "网址", "Website", "网站", "官网", "官方网站", "主页", "网站地址", "url", "web", "web site",
           "homepage", "home page"),
    _field("email", "公司邮箱", "Customer e-mail", "客户邮箱", "企业邮箱", "单位邮箱", "公司email", "company email",
           "company e-mail"),
    _field("non_primary_emails", "非主邮件地址", "Non-primary e-mail addresses", "其他邮箱", "备用邮箱", "other emails",
           "non primary emails"),
    _field("phone_office", "公司电话", "Customer office phone", "客户电话", "单位电话", "企业电话", "company phone",
           form=Form.DIGITS),
    _field("phone_alternate", "其他电话", "Other phone", "备用电话", "alternate phone", "phone alternate",
           form=Form.DIGITS),
    _field("fax", "传真", "Fax", "传真号", "传真号码", "fax number", form=Form.DIGITS),
    *(
        _field(f"{of}_{part}", f"{zh}{part_zh}", f"{en} {part_en}",
               form=Form.DIGITS if part == "postcode" else Form.TEXT)  # 5 digits are a foreign one
        for of, zh, en in (("billing", "账单地址", "Billing"), ("shipping", "送货地址", "Shipping"))
        for part, part_zh, part_en in (
            ("street", "街道", "street"), ("city", "城市", "city"), ("province", "省份", "province"),
            ("postcode", "邮编", "postcode"), ("country", "国家", "country"))
    ),
    _field("description", "详细说明", "Long description", "客户说明", "公司简介", "企业简介", "简介"),
    _field("annual_revenue", "年收入（元）", "Annual revenue (CNY)", "年收入金额"),
    _field("employees", "员工数（准确）", "Employees (exact)", "准确员工数", "exact number of employees"),
    _field("sic_code", "标准行业代码", "SIC code", "sic"),
    _field("ticker_symbol", "股票代码", "Ticker symbol", "证券代码", "ticker", "stock code"),
    _field("parent_customer_id", "上级客户 ID", "Parent customer ID", "上级客户编号"),
    _field("ownership", "所有权", "Form of ownership", "所有制"),
    _field("campaign_id", "营销活动 ID", "Campaign ID", "市场活动 ID", "营销活动编号"),
    _field("address", "地址（地理编码）", "Address (geocoded)"),
    _field("geocode_status", "地理编码状态", "Geocode status"),
    _field("latitude", "纬度", "Latitude", "lat"),
    _field("longitude", "经度", "Longitude", "lng", "lon"),
)

# As printed, in English, and the field; none: left alone, as who changed it and when is not a file's to say.
_COLUMNS: tuple[tuple[str, str, str | None], ...] = (
    ("名称", "Name", "name"),
    ("ID", "ID", "id"),
    ("网址", "Website", "profile.website"),
    ("Email 地址", "E-mail address", "profile.email"),
    ("非主邮件地址", "Non-primary e-mail addresses", "profile.non_primary_emails"),
    ("办公电话", "Office phone", "profile.phone_office"),
    ("其他电话", "Other phone", "profile.phone_alternate"),
    ("传真", "Fax", "profile.fax"),
    ("[账单地址]街道", "Billing street", "profile.billing_street"),
    ("[账单地址]城市", "Billing city", "profile.billing_city"),
    ("[账单地址]省份", "Billing province", "profile.billing_province"),
    ("[账单地址]邮编", "Billing postcode", "profile.billing_postcode"),
    ("[账单地址]国家", "Billing country", "profile.billing_country"),
    ("[送货地址]街道", "Shipping street", "profile.shipping_street"),
    ("[送货地址]城市", "Shipping city", "profile.shipping_city"),
    ("[送货地址]省份", "Shipping province", "profile.shipping_province"),
    ("[送货地址]邮编", "Shipping postcode", "profile.shipping_postcode"),
    ("[送货地址]国家", "Shipping country", "profile.shipping_country"),
    ("说明", "Description", "profile.description"),
    ("类型", "Type", "customer_type"),
    ("行业", "Industry", "industry"),
    ("年收入", "Annual revenue", "profile.annual_revenue"),
    ("员工", "Employees", "profile.employees"),
    ("标准行业代码", "SIC code", "profile.sic_code"),
    ("股票代码", "Ticker symbol", "profile.ticker_symbol"),
    ("上级客户 ID", "Parent customer ID", "profile.parent_customer_id"),
    ("所有权", "Ownership", "profile.ownership"),
    ("营销活动 ID", "Campaign ID", "profile.campaign_id"),
    ("评分", "Rating", "rating"),
    ("负责人", "Owner", "owner"),
    ("负责人 ID", "Owner ID", "owner_id"),
    ("创建日期", "Created date", None),
    ("修改日期", "Modified date", None),
    ("修改人", "Modified by", None),
    ("创建人", "Created by", None),
    ("已删除", "Deleted", "deleted"),
    ("地址", "Address", "profile.address"),
    ("地理编码状态", "Geocode status", "profile.geocode_status"),
    ("纬度", "Latitude", "profile.latitude"),
    ("经度", "Longitude", "profile.longitude"),
)
# fmt: on
S0_FILES = (
    KnownFile(tuple((zh, field) for zh, _, field in _COLUMNS)),
    KnownFile(tuple((en, field) for _, en, field in _COLUMNS)),
)
