"""Amounts of money: decimals with a currency (L-27, L-29), never converted."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

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


def _decimal(code: str, digits: int, places: int) -> Callable[[Any], Decimal]:
    pattern = re.compile(rf"[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}})?")

    def read(value: Any) -> Decimal:
        text = value.strip() if isinstance(value, str) else str(value)
        if not pattern.fullmatch(text) or isinstance(value, bool):
            raise PydanticCustomError(code, "not such a number")
        return Decimal(text).quantize(Decimal(1).scaleb(-places))

    return read


def decimal_of(code: str, digits: int, places: int) -> Any:
    """A number of at most `digits` before and `places` after the point, not negative, as text or as a number of JSON; else
    the field's error has the code `code`.
    """
    schema = {"type": "string", "pattern": rf"^[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}})?$"}
    return Annotated[Decimal, BeforeValidator(_decimal(code, digits, places)), WithJsonSchema(schema)]


def _known(code: str) -> str:
    if code not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "no currency of ISO 4217")
    return code


Amount = decimal_of("amount_invalid", 12, 2)
Currency = Annotated[
    str,
    BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value),
    AfterValidator(_known),
]
CurrencyField = Field(default=DEFAULT_CURRENCY, description="ISO 4217, for example CNY or USD (L-27)")
