"""From bytes to models: malformed is 400, a broken rule is 422 with a pointer to each field."""

import json
from typing import Any, TypeVar, get_origin

import flask
from pydantic import BaseModel, ValidationError

from chassis.errors import FieldError, Invalid, Malformed, UnsupportedMedia

ModelT = TypeVar("ModelT", bound=BaseModel)


def parse_body(model: type[ModelT]) -> ModelT:
    """The JSON body as `model`. Raises UnsupportedMedia, Malformed or Invalid."""
    request = flask.request
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
    bad = list(_unstorable(content, ""))
    if bad:
        raise Invalid("validation_failed", errors=bad, count=len(bad))
    try:
        return model.model_validate(content)
    except ValidationError as error:
        errors = [_field_error(problem) for problem in error.errors(include_url=False, include_input=False)]
        raise Invalid("validation_failed", errors=errors, count=len(errors)) from error


def _field_error(problem: Any) -> FieldError:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in problem["loc"])
    context = {key: value for key, value in problem.get("ctx", {}).items() if isinstance(value, str | int | float)}
    return FieldError(pointer, problem["type"], context)


def _unstorable(value: Any, pointer: str) -> Any:
    """Strings that PostgreSQL cannot hold: with a null character or half a surrogate pair."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            yield FieldError(pointer, "null_character")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unstorable(key, pointer)
            yield from _unstorable(item, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable(item, f"{pointer}/{index}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
