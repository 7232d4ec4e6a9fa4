"""The methods of a resource that are commands: what each takes, and what is refused at import."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, overload

from pydantic import BaseModel, SecretBytes, SecretStr, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaValidator

from twofold.annotations import Unsupported, argument_of, refuse_lengths
from twofold.declared import Arguments
from twofold.errors import DeclarationError
from twofold.forms import validator
from twofold.names import IDENTIFIER, RESERVED, refuse_shared, why_reserved, wire_name

FREE = ("create", "replace", "patch", "delete")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Context:
    """What a command may know beside its state and arguments: the time, a new id, who asks."""

    now: datetime
    new_id: Callable[[], str]
    principal: str | None = None


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A domain command: `POST /{resource}/{id}/{name}` with `arguments` as the body."""

    name: str
    event: str
    arguments: type[Arguments]
    secret_arguments: frozenset[str]  # by their names on the wire, and the same in Python:
    secret_parameters: frozenset[str]
    takes_context: bool
    description: str = ""
    validator: SchemaValidator = field(compare=False, repr=False, kw_only=True)


@overload
def command(method: F, /) -> F: ...
@overload
def command(*, event: str | None = None) -> Callable[[F], F]: ...
def command(method: Any = None, /, *, event: str | None = None) -> Any:
    """Makes a method a command: pure, from state and arguments to the new state.

    `event` is the last part of the event's type (`users.deactivated`); the method's name by default.
    A method named create, replace, patch or delete takes the place of the free command of that name.
    """

    def mark(method: F) -> F:
        method.__twofold_event__ = event or method.__name__  # type: ignore[attr-defined]
        return method

    return mark if method is None else mark(method)


def commands_of(cls: type[BaseModel]) -> dict[str, CommandSpec]:
    """The commands of a resource's class, by name. Raises DeclarationError."""
    marked = {name: method for name, method in inspect.getmembers(cls, inspect.isfunction) if hasattr(method, "__twofold_event__")}
    return {name: _command(cls, name, method) for name, method in marked.items()}


def hints_of(cls: type, where: str, method: Any) -> dict[str, Any]:
    """A method's annotations. Raises DeclarationError for a name that is not there."""
    try:
        return typing.get_type_hints(method, include_extras=True, localns={"Self": Any, cls.__name__: cls})
    except NameError as error:
        raise DeclarationError(f"{where}: {error}; import the name at the top of the module") from None


def _command(cls: type[BaseModel], name: str, method: Any) -> CommandSpec:
    where = f"{cls.__name__}.{name}"
    if told := _unusable(name):
        raise DeclarationError(f"{where}: {told}; rename the command")
    if inspect.iscoroutinefunction(method):
        raise DeclarationError(f"{where}: a command is a plain function; write def, not async def")
    _check_event(where, name, method.__twofold_event__)
    hints = hints_of(cls, where, method)
    parameters = dict(list(inspect.signature(method).parameters.items())[1:])
    model, wires = _arguments(cls, name, where, parameters, hints)
    secrets = frozenset(key for key in wires if _holds_secret(hints[key]))
    _check_result(cls, name, where, hints)
    return CommandSpec(
        name=name,
        event=method.__twofold_event__,
        arguments=model,
        secret_arguments=frozenset(wires[key] for key in secrets),
        secret_parameters=secrets,
        takes_context="ctx" in parameters,
        description=inspect.cleandoc(method.__doc__ or ""),
        validator=validator(model.__pydantic_core_schema__),
    )


def _unusable(name: str) -> str:
    """Why a method of that name can be no command; "" for one that can."""
    if hasattr(BaseModel, name):
        return f"Pydantic's classes have {name!r} themselves"
    if not IDENTIFIER.fullmatch(name):
        return "the name is a part of the URL, and has lower-case letters, digits and _"
    return why_reserved(name) if name in RESERVED and name not in FREE else ""


def _arguments(
    cls: type[BaseModel], name: str, where: str, parameters: dict[str, inspect.Parameter], hints: dict[str, Any]
) -> tuple[type[Arguments], dict[str, str]]:
    """What the parameters take, and their names on the wire."""
    arguments = {key: value for key, value in parameters.items() if key != "ctx" and name not in FREE}
    for parameter in arguments.values():
        if parameter.name not in hints or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DeclarationError(f"{where}: the parameter {parameter.name!r} needs an annotation, for example {parameter.name}: str")
        if parameter.name.startswith("_"):
            raise DeclarationError(f"{where}: the parameter {parameter.name!r} cannot be a member of the body; take away the _ before it")
    definitions: dict[str, Any] = {
        key: (hints[key], ... if value.default is value.empty else value.default) for key, value in arguments.items()
    }
    options = {"alias_generator": cls.model_config.get("alias_generator")}
    try:
        model = create_model(f"{cls.__name__}_{name}", __base__=Arguments, __cls_kwargs__=options, **definitions)
    except (PydanticUserError, DeclarationError, NameError) as error:
        told = str(error).splitlines()[0].removeprefix(f"{cls.__name__}_{name}: ")
        raise DeclarationError(f"{where}: its arguments cannot be read from JSON; change them: {told}") from None
    _refuse_lengths(where, model)
    wires = {key: wire_name(f"{where}: the parameter {key!r}", key, info) for key, info in model.model_fields.items()}
    refuse_shared(where, wires)
    return model, wires


def _refuse_lengths(where: str, model: type[Arguments]) -> None:
    for key, info in model.model_fields.items():
        argument = argument_of(key, info)
        try:
            if argument and not argument.secret:  # which no column holds
                refuse_lengths(argument, info)
        except Unsupported as reason:
            raise DeclarationError(f"{where}: the parameter {key!r}: {reason}") from None


def _check_result(cls: type[BaseModel], name: str, where: str, hints: dict[str, Any]) -> None:
    """What a command returns becomes the state; only what `delete` returns is looked at by nobody."""
    if name == "delete":
        return
    result = hints.get("return", type(None))
    if result is type(None) or (result is not Any and isinstance(result, type) and not issubclass(cls, result)):
        raise DeclarationError(f"{where}: a command returns the new state; write def {name}(…) -> Self, and return self.model_copy(…)")


def _check_event(where: str, name: str, event: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", event):
        raise DeclarationError(f"{where}: event={event!r} should have lower-case letters, digits, _ and -")
    if name in FREE and event != name:
        raise DeclarationError(f"{where}: event={event!r} has no effect on {name}, whose event is fixed; write @command()")
    if event == "deleted" and name not in FREE:
        raise DeclarationError(f"{where}: event='deleted' is the event of delete, which leaves no state; choose another with event=\"…\"")


def _holds_secret(annotation: Any, around: tuple[Any, ...] = ()) -> bool:
    """Whether a secret is anywhere in a parameter: bare, annotated, optional, in a list, in a model."""
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes):
        return True
    inside = [field.annotation for field in getattr(annotation, "model_fields", {}).values()]
    return annotation not in around and any(_holds_secret(each, (*around, annotation)) for each in (*typing.get_args(annotation), *inside))
