"""Conditions of a filter (I-06 to I-09) in SQL. What has an index is also written as the customers found by it."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Numeric,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition
from crm_customer.fields.operators import FilterKind, Operator
from crm_customer.listing.field_conditions import FieldCondition
from crm_customer.listing.texts import containing, has, of_this
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import ADDRESS, normalised
from crm_customer.tags.model import CustomerTag

# Where the search table keeps a text, and how its pairs of characters are marked.
_WORDS: dict[str, tuple[Any, str]] = {
    "name": (CustomerSearch.name, ""),
    "address": (CustomerSearch.address, ADDRESS),
    "wechat_nickname": (CustomerSearch.nickname, ""),
}


def found_by(condition: FieldCondition, name: str) -> Select[UUID]:
    """The customers that meet a condition whose index is on another table; its values are parameters called `name`."""
    if condition.kind is FilterKind.WORDS:
        place, mark = _WORDS[condition.field]
        return containing(place, normalised(condition.values[0]), mark)
    return select(CustomerTag.customer_id).where(_one_of_these(CustomerTag.tag_id, condition, name))


def matches(condition: FieldCondition, name: str, *, walked: bool = False) -> Condition:
    """Whether a customer meets a condition; `walked`: as it is met, so that no index of the condition is thought of."""
    if condition.kind is FilterKind.WORDS:
        place, _ = _WORDS[condition.field]
        return of_this(CustomerSearch.customer_id, has(place, normalised(condition.values[0])))
    if condition.kind is FilterKind.TAGS:
        return _tagged(condition, name)
    found = _custom(condition, name) if condition.field.startswith("custom.") else _own(condition, name)
    return found.is_(true()) if walked and condition.indexed else found


def _tagged(condition: FieldCondition, name: str) -> Condition:
    if condition.operator is Operator.ANY_OF:
        return of_this(CustomerTag.customer_id, _one_of_these(CustomerTag.tag_id, condition, name))
    if condition.operator is Operator.NONE_OF:
        return ~of_this(CustomerTag.customer_id, _one_of_these(CustomerTag.tag_id, condition, name))
    tagged = of_this(CustomerTag.customer_id)
    return ~tagged if condition.operator is Operator.EMPTY else tagged


def _own(condition: FieldCondition, name: str) -> Condition:
    """A column of customers."""
    column: ColumnElement[Any] = getattr(Customer, condition.field)
    match condition.operator:
        case Operator.EMPTY:
            return column.is_(None)
        case Operator.FILLED:
            return column.is_not(None)
        case Operator.BETWEEN:
            return _between(column, condition, name)
        case Operator.NONE_OF:
            return _one_of_these(column, condition, name).is_not(true())
    return _one_of_these(column, condition, name)


def _custom(condition: FieldCondition, name: str) -> Condition:
    """A custom field."""
    filled = Customer.custom.bool_op("?")(_key(condition))
    if condition.operator is Operator.EMPTY:
        return ~filled
    if condition.operator is Operator.FILLED:
        return filled
    found = filled & _compared(condition, name)
    return found.is_not(true()) if condition.operator is Operator.NONE_OF else found


def _compared(condition: FieldCondition, name: str) -> Condition:
    """Whether the value of a custom field is as asked for, where there is one."""
    key = _key(condition)
    text = Customer.custom.op("->>", return_type=Text())(key)
    if condition.operator is Operator.CONTAINS:
        words = bindparam(name, condition.values[0], Text)
        return func.strpos(func.lower(text), func.lower(words)) > 0
    if condition.operator is Operator.BETWEEN:
        return _between(cast(text, Numeric) if condition.kind is FilterKind.NUMBER else text, condition, name)
    if condition.kind is FilterKind.MULTIPLE_CHOICE:
        holds = "?&" if condition.operator is Operator.ALL_OF else "?|"
        keys = bindparam(name, list(condition.values), ARRAY(Text))
        return Customer.custom.op("->", return_type=JSONB())(key).bool_op(holds)(keys)
    return _one_of_these(text, condition, name)


def _key(condition: FieldCondition) -> ColumnElement[str]:
    """A plain word, written out: only so do the condition and the field's index look alike."""
    return literal_column(f"'{condition.key}'", Text)


def _one_of_these(column: Any, condition: FieldCondition, name: str) -> Condition:
    found: Condition = column == any_(bindparam(name, list(condition.values), ARRAY(column.type)))
    return found


def _between(column: Any, condition: FieldCondition, name: str) -> Condition:
    first, last = condition.values
    found = true() if first is None else column >= _end(f"{name}_from", first, column)
    return found if last is None else found & (column <= _end(f"{name}_to", last, column))


def _end(name: str, value: Any, column: Any) -> BindParameter[Any]:
    return bindparam(name, value, column.type)


def parameters_of(condition: FieldCondition, name: str) -> dict[str, Any]:
    """The values of a condition, as the parameters above are called."""
    if condition.operator is Operator.BETWEEN:
        return {
            f"{name}_{end}": value
            for end, value in zip(("from", "to"), condition.values, strict=True)
            if value is not None
        }
    if condition.operator is Operator.CONTAINS:
        return {} if condition.kind is FilterKind.WORDS else {name: condition.values[0]}
    return {name: list(condition.values)} if condition.values else {}
