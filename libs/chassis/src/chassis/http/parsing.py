"""From bytes to models: malformed is 400, a broken rule is 422 with a pointer to each field."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, get_origin

import flask
from pydantic import BaseModel, ValidationError

from chassis.errors import FieldError, Invalid, Malformed, UnsupportedMedia

ModelT = TypeVar("ModelT", bound=BaseModel)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# More than any form has fields or any batch has ids; a body of 1 MB could have a hundred thousand.
_MOST_ERRORS = 500


def parse_body(model: type[ModelT]) -> ModelT:
    """The JSON body as `model`; none at all is an empty object. Raises UnsupportedMedia, Malformed or Invalid."""
    request = flask.request
    if not request.mimetype and not request.get_data(cache=True):
        return validate(model, {})
    if request.mimetype != "application/json":
        raise UnsupportedMedia("unsupported_media_type", expected="application/json")
    try:
        content = json.loads(request.get_data(cache=True), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("malformed_json", reason=str(error)[:100]) from error
    if not isinstance(content, dict):
        raise Malformed("body_must_be_object")
    return validate(model, content)


def parse_query(model: type[ModelT]) -> ModelT:
    """The query string as `model`; a repeated parameter fills a list field. Raises Invalid."""
    values: dict[str, Any] = {}
    for name, found in flask.request.args.lists():
        field = model.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) is list
        values[name] = found if many else found[-1]
    return validate(model, values)


def validate(model: type[ModelT], content: Any) -> ModelT:
    """`content` as `model`. Raises Invalid with every wrong field at once (A-59)."""
    bad = [FieldError(pointer, "null_character") for pointer in _unstorable(content)]
    if bad:
        raise _invalid(bad)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise _invalid([_field_error(problem) for problem in problems]) from error


def _invalid(errors: Sequence[FieldError]) -> Invalid:
    return Invalid("validation_failed", errors=errors[:_MOST_ERRORS], count=len(errors))


def _field_error(problem: Any) -> FieldError:
    pointer = "".join(_step(part) for part in problem["loc"])
    context = {key: value for key, value in problem.get("ctx", {}).items() if isinstance(value, str | int | float)}
    if "expected" in context:
        context["expected"] = str(context["expected"]).replace(" or ", ", ")  # no word of a language
    return FieldError(pointer, problem["type"], context)


def _step(part: str | int) -> str:
    return f"/{str(part).replace('~', '~0').replace('/', '~1')}"


def _unstorable(content: Any) -> Iterator[str]:
    """Where strings are that PostgreSQL cannot hold: with a null character or half a surrogate pair.

    A loop, since JSON may be nested deeper than calls may be.
    """
    left: list[tuple[str, Any]] = [("", content)]
    while left:
        pointer, value = left.pop()
        inside: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, str):
            if _UNSTORABLE.search(value):
                yield pointer
        elif isinstance(value, dict):
            if any(_UNSTORABLE.search(key) for key in value):
                yield pointer
            inside = value.items()
        elif isinstance(value, list):
            inside = enumerate(value)
        left += reversed([(pointer + _step(part), item) for part, item in inside])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
