"""What a request's body says: validated against the declaration, all errors at once, nothing of it repeated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from twofold.command.passwords import is_common, normalised
from twofold.errors import Problem
from twofold.fields import MAX_SECRET_BYTES, Field
from twofold.resource import CommandSpec, Declaration
from twofold.values import words

MAX_ARGS = 264 * 1024  # of a record, beside its value: the longest text of a field, and some more
MOST_MEMBERS = 1000  # of a body that is looked at
MOST_ERRORS = 100  # that are told
MOST_FOUND = 2000  # of which the first are told: Pydantic makes all of them at once, and the loop waits meanwhile
Error = dict[str, Any]


def creation(resource: Declaration, body: Any, *, guarded: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """The public state and the secrets of a new resource. Raises Problem 422. With `guarded`, fields that commands change may be given."""
    _refuse_many(body)
    errors = [] if guarded else _guarded(resource, body)
    for field in resource.secrets:
        errors += _weakness(field, body.get(field.name) if isinstance(body, dict) else None)
    instance = _whole(resource, body, errors)
    values = instance.__dict__
    return resource.encode(instance), {field.name: _secret(field, values[field.attribute].get_secret_value()) for field in resource.secrets}


def members(resource: Declaration, body: Any, *, patch: bool, guarded: bool = False) -> dict[str, Any]:
    """The members of a replacement or a merge patch, each valid by itself; as a whole they are validated when they are applied."""
    _refuse_many(body)
    errors = [] if guarded else _guarded(resource, body)
    for field in resource.secrets:
        if field.name in _names(body):
            path = f"PUT /{resource.name}/{{id}}/{field.name}"
            errors.append(_error(f"/{field.name}", f"A secret is changed by {path}.", "secret"))
    checked = {name: value for name, value in body.items() if name not in _pointed(errors)} if isinstance(body, dict) else body
    optional = checked
    if patch and isinstance(checked, dict):
        errors += _required(resource, checked)
        public = {field.name for field in resource.public}
        optional = {name: value for name, value in checked.items() if value is not None or name not in public}
    _validated(resource.members, optional, errors, ignore="missing" if patch else "")
    return dict(checked)


def secret(resource: Declaration, name: str, body: Any) -> dict[str, str]:
    """The new value of one secret: `{"password": "…"}`, held against that field's own rules."""
    _refuse_many(body)
    given = body if isinstance(body, dict) else {}
    field = resource.field(name)
    values, *_ = _validated(resource.alone[name], given, _weakness(field, given.get(name)))
    return {name: _secret(field, values[field.attribute].get_secret_value())}


def member(resource: Declaration, name: str, value: Any) -> Any:
    """The value of a unique field as state has it. Raises Problem 422."""
    field = resource.field(name)
    values, *_ = _validated(resource.alone[name], {name: value}, [])
    return field.encode(values[field.attribute])


def arguments(spec: CommandSpec, body: Any) -> tuple[BaseModel, str | None]:
    """A domain command's arguments, and those of them that are not secret as JSON."""
    _refuse_many(body)
    try:
        model: BaseModel = spec.validator.validate_json(orjson.dumps(body), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal("The arguments do not fit.", _errors(error)) from None
    dumped = model.model_dump(mode="json", by_alias=True)
    public = {name: value for name, value in dumped.items() if name not in spec.secret_arguments}
    args = orjson.dumps(public)
    if len(args) > MAX_ARGS:
        raise Problem(422, "too-large", f"The arguments have more than {MAX_ARGS // 1024} KiB.")
    return model, args.decode() if public else None


def invalid(error: ValidationError, sent: Collection[str] | None = None) -> Problem:
    """422 for a state that does not fit the declaration; where a body was merged into it, with these members `sent`."""
    found = _errors(error) if sent is None else [_merged(each, sent) for each in _errors(error)]
    return _refusal("The resource does not fit its declaration.", found)


def _merged(error: Error, sent: Collection[str]) -> Error:
    """The error, which points at a member that was sent, or one that is missing; else at the only one; else at the body as a whole."""
    path = error["pointer"].removeprefix("/")
    if path.partition("/")[0] in sent or error["code"] == "missing":
        return error
    only = f"/{next(iter(sent))}" if len(sent) == 1 else ""
    return _error(only, f"{path}: {error['detail']}" if path else error["detail"], error["code"])


def _whole(resource: Declaration, body: Any, errors: list[Error]) -> Any:
    try:
        return _validated(resource.cls.__pydantic_validator__, body, errors)
    except Problem:
        raise
    except Exception:  # a validator looked for a member that did not fit
        _validated(resource.every, body, errors)
        raise


def _validated(validator: Any, body: Any, errors: list[Error], ignore: str = "") -> Any:
    instance = None
    try:
        instance = validator.validate_json(orjson.dumps(body), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        known = _pointed(errors)
        errors += [each for each in _errors(error, ignore) if each["pointer"].removeprefix("/") not in known]
    if errors:
        raise _refusal("The body does not fit the declaration.", errors)
    return instance


def _refusal(detail: str, errors: list[Error]) -> Problem:
    more = f" It tells {MOST_ERRORS} errors of {len(errors)}." if len(errors) > MOST_ERRORS else ""
    return Problem(422, "validation-failed", detail + more, errors=errors[:MOST_ERRORS])


def _refuse_many(body: Any) -> None:
    """Before they are looked at: of each that is unknown an error is made."""
    if isinstance(body, dict) and len(body) > MOST_MEMBERS:
        told = _error("", f"An object should have at most {MOST_MEMBERS} members.", "too_long")
        raise _refusal("The body does not fit the declaration.", [told])


def _errors(error: ValidationError, ignore: str = "") -> list[Error]:
    """Pydantic's findings without the input, the address of its site, or what a validator of addresses quotes."""
    if error.error_count() > MOST_FOUND:
        return [_error("", f"More than {MOST_FOUND} values do not fit. Mend the kind of some, and send it again.", "too_many_errors")]
    found = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        if each["type"] == ignore:
            continue
        found.append(_error("".join(_escaped(part) for part in each["loc"]), _detail(words(each)), each["type"]))
    return found


def _detail(message: str) -> str:
    if message.startswith("value is not a valid email address"):  # the rest quotes the address
        return "This is not a valid e-mail address."
    if " after validation, not " in message:  # the length of a secret is told in characters, and that of the given one not at all
        told = message.partition(" after validation")[0]
        return (f"{told.removesuffix('items')}characters" if told.startswith("Value ") else told) + "."
    return f"{message}."


def _error(pointer: str, detail: str, code: str) -> Error:
    return {"pointer": pointer, "detail": detail, "code": code}


def _escaped(part: Any) -> str:
    """A step of a JSON Pointer (RFC 6901), cut, since an unknown member's name is the client's own text."""
    return "/" + str(part)[:64].replace("~", "~0").replace("/", "~1")


def _guarded(resource: Declaration, body: Any) -> list[Error]:
    if not resource.guarded:
        return []
    given = _names(body)
    return [
        _error(f"/{field.name}", "This field is changed by commands only.", "guarded") for field in resource.guarded if field.name in given
    ]


def _required(resource: Declaration, patch: Mapping[str, Any]) -> list[Error]:
    """A null removes a member (RFC 7396), which a member that must be there does not allow."""
    needed = {field.name for field in resource.public if field.required and not field.nullable}
    return [
        _error(f"/{name}", "This member cannot be removed.", "required")
        for name, value in patch.items()
        if value is None and name in needed
    ]


def _weakness(field: Field, value: Any) -> list[Error]:
    """What Pydantic's rules for a secret do not say."""
    if not isinstance(value, str):
        return []
    if len(value.encode()) > MAX_SECRET_BYTES:
        return [_error(f"/{field.name}", f"At most {MAX_SECRET_BYTES} bytes.", "too_long")]
    if field.hashed and is_common(value):
        return [_error(f"/{field.name}", "This password is among the most common ones. Choose another.", "password_common")]
    return []


def _secret(field: Field, value: str) -> str:
    """The form in which a secret is stored or hashed."""
    return normalised(value) if field.hashed else value


def _names(body: Any) -> set[str]:
    return set(body) if isinstance(body, dict) else set()


def _pointed(errors: list[Error]) -> set[str]:
    return {each["pointer"].removeprefix("/") for each in errors}
