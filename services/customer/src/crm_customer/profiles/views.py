"""Shapes of the extended columns on the wire."""

from collections.abc import Collection
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from chassis.http.api import Body, View
from crm_customer.profiles.rules import masked


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _list(value: Any) -> Any:
    whole = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return ";".join(value) if whole else value


def _or_text(*, other: dict[str, Any]) -> Any:
    return WithJsonSchema({"anyOf": [{"type": "string"}, other, {"type": "null"}]})


_Number = Annotated[str | None, BeforeValidator(_number), _or_text(other={"type": "number"})]
_Texts = Annotated[str | None, BeforeValidator(_list), _or_text(other={"type": "array", "items": {"type": "string"}})]


def _text(max_length: int, words: str) -> Any:
    # Checked in rules.py with everything else, so that all wrong fields are named at once (A-59).
    return Field(default=None, description=words, json_schema_extra={"maxLength": max_length})


def _words(words: str) -> Any:
    return Field(default=None, description=words)


class ProfileBody(Body):
    """Extended columns of a customer (T-1). Null or empty clears one."""

    website: str | None = _text(255, "网址, with or without https://")
    email: str | None = _text(50, "the customer's own e-mail (X-42)")
    non_primary_emails: _Texts = _words("非主邮件地址, at most 20; as text separated by semicolons")
    phone_office: str | None = _text(20, "办公电话")
    phone_alternate: str | None = _text(20, "其他电话")
    fax: str | None = _text(20, "传真")
    billing_street: str | None = _text(150, "账单地址：街道")
    billing_city: str | None = _text(100, "账单地址：城市")
    billing_province: str | None = _text(100, "账单地址：省份")
    billing_postcode: str | None = _text(20, "账单地址：邮编, six digits in China")
    billing_country: str | None = _text(100, "账单地址：国家, empty: China")
    shipping_street: str | None = _text(150, "送货地址：街道")
    shipping_city: str | None = _text(100, "送货地址：城市")
    shipping_province: str | None = _text(100, "送货地址：省份")
    shipping_postcode: str | None = _text(20, "送货地址：邮编, six digits in China")
    shipping_country: str | None = _text(100, "送货地址：国家, empty: China")
    description: str | None = _text(5000, "说明")
    annual_revenue: _Number = _words("年收入 in CNY, at most two decimals")
    employees: _Number = _words("员工, a whole number")
    sic_code: str | None = _text(20, "标准行业代码")
    ticker_symbol: str | None = _text(20, "股票代码")
    parent_customer_id: str | None = _words("上级客户: a visible customer that does not lie below this one (A-79)")
    ownership: str | None = _text(100, "所有权")
    campaign_id: str | None = _words("营销活动 ID, a UUID")
    address: str | None = _text(255, "地址")
    geocode_status: str | None = _text(50, "地理编码状态")
    latitude: _Number = _words("纬度, -90 to 90")
    longitude: _Number = _words("经度, -180 to 180")
    aliases: _Texts = _words("客户别名 (G-03), at most 20 of 100 characters; as text separated by semicolons")
    credit_code: str | None = _text(18, "统一社会信用代码 (GB 32100-2015)")

    def texts(self) -> dict[str, str | None]:
        """The columns that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class ParentView(View):
    """The parent customer (A-79). The name is null for those who do not see that customer."""

    id: UUID
    name: str | None
    deleted: bool = Field(description="it lies in the recycle bin")


class ProfileView(View):
    """Extended columns (T-1). Of what the pool hides, texts are masked and the rest is null."""

    website: str | None
    email: str | None
    non_primary_emails: list[str] | None
    phone_office: str | None
    phone_alternate: str | None
    fax: str | None
    billing_street: str | None
    billing_city: str | None
    billing_province: str | None
    billing_postcode: str | None
    billing_country: str | None
    shipping_street: str | None
    shipping_city: str | None
    shipping_province: str | None
    shipping_postcode: str | None
    shipping_country: str | None
    description: str | None
    annual_revenue: str | None = Field(description="decimal as text")
    employees: int | None
    sic_code: str | None
    ticker_symbol: str | None
    parent_customer_id: UUID | None
    parent: ParentView | None
    ownership: str | None
    campaign_id: UUID | None
    address: str | None
    geocode_status: str | None
    latitude: str | None = Field(description="decimal as text")
    longitude: str | None = Field(description="decimal as text")
    aliases: list[str] | None
    credit_code: str | None


def profile_view(values: dict[str, Any], parent: ParentView | None, hidden: Collection[str]) -> ProfileView:
    """The reply about the columns `values`, without what the fields `hidden` (profile.fax) hold."""
    shown = {name: masked(name, value) if f"profile.{name}" in hidden else value for name, value in values.items()}
    return ProfileView(**shown, parent=parent)
