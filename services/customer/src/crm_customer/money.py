"""Amounts of money: decimals with a currency (L-27, L-29), never converted."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

DEFAULT_CURRENCY = "CNY"
CENT = Decimal("0.01")
MOST = Decimal("999999999999.99")
# ISO 4217, what is legal tender.
_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
    CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
    ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
    SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF
    XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())


def rounded(value: Decimal, unit: Decimal = CENT) -> Decimal:
    """`value` in whole `unit`s, half up."""
    return value.quantize(unit, ROUND_HALF_UP)


@dataclass(frozen=True)
class Digits:
    """A decimal of at most `before` digits before and `after` behind the point, not negative, or `positive`, as text or as a
    number of JSON; anything else is refused with `code`.
    """

    code: LiteralString
    before: int
    after: int
    positive: bool = False

    @property
    def pattern(self) -> str:
        """What the text looks like."""
        return rf"[0-9]{{1,{self.before}}}(\.[0-9]{{1,{self.after}}})?"

    def read(self, value: Any) -> Decimal:
        """The number that is written, with all its digits. Raises PydanticCustomError."""
        text = value.strip() if isinstance(value, str) else str(value)
        if re.fullmatch(self.pattern, text):
            number = Decimal(text).quantize(Decimal(1).scaleb(-self.after))
            if number or not self.positive:
                return number
        raise PydanticCustomError(self.code, "not such a number")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


def _known(code: str) -> str:
    if code not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "no currency of ISO 4217")
    return code


Amount = Annotated[Decimal, Digits("amount_invalid", 12, 2)]
PositiveAmount = Annotated[Decimal, Digits("amount_not_positive", 12, 2, positive=True)]
Currency = Annotated[
    str,
    BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value),
    AfterValidator(_known),
]
CurrencyField = Field(default=DEFAULT_CURRENCY, description="ISO 4217, for example CNY or USD (L-27)")
