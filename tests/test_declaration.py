"""A wrong declaration is refused at import, with the class, the field and the fix in the message."""

from __future__ import annotations

import enum
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, EmailStr, Field, SecretStr, StringConstraints, computed_field

from twofold import App, Column, Context, Document, Email, Guarded, Keyword, Password, Places, Resource, Secret, Text, Unique, command
from twofold.errors import DeclarationError
from twofold.names import RESERVED, SYSTEM
from twofold.resource import RESERVED_RESOURCES, RESERVED_TABLES, Declaration
from twofold.users import User


class Numbers(enum.IntEnum):
    ONE = 1


class Colour(enum.Enum):
    RED = "red"


class Credentials(BaseModel):
    login: str
    key: SecretStr


def declare(annotation: Any, default: Any = ..., field: str = "thing", **options: Any) -> Declaration:
    """A class `Sample` with one field."""
    namespace: dict[str, Any] = {"__annotations__": {field: annotation}, "__module__": __name__}
    if default is not ...:
        namespace[field] = default
    options = {"name": "samples", **options}
    cls: Any = type(Resource)("Sample", (Resource,), namespace, **options)
    return cls.declaration


def declare_command(method: Any, *, event: str | None = None, name: str | None = None) -> Declaration:
    """A class `Sample` with one command."""
    namespace = {
        "__annotations__": {"note": str},
        "note": "",
        "__module__": __name__,
        name or method.__name__: command(event=event)(method),
    }
    cls: Any = type(Resource)("Sample", (Resource,), namespace, name="samples")
    return cls.declaration


@pytest.mark.parametrize("name", sorted(RESERVED - set(SYSTEM)))
def test_names_of_the_runtime_and_of_query_parameters_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=rf'Sample\.{name}: .* rename it, and keep the column with Column\("{name}"\)'):
        declare(str, field=name)
    assert declare(Annotated[str, Column(name)], field=f"own_{name}").field(f"own_{name}").column == name


@pytest.mark.parametrize("name", SYSTEM)
def test_members_of_every_resource_are_refused_with_advice_that_works(name: str) -> None:
    with pytest.raises(DeclarationError, match=rf'Sample\.{name}: every resource has "{name}" .*; rename it, for example own_{name}'):
        declare(str, field=name)
    assert declare(str, field=f"own_{name}").field(f"own_{name}").column == f"own_{name}"


@pytest.mark.parametrize(
    ("name", "fix"),
    [("homeCity", r'write home_city: Annotated\[…, Field\(alias="homeCity"\)\]'), ("ümlaut", "rename it"), ("x" * 64, "rename it")],
)
def test_names_that_are_no_columns_are_refused(name: str, fix: str) -> None:
    with pytest.raises(DeclarationError, match=rf"Sample\.{name}: .* lower-case letters, digits and _; {fix}"):
        declare(str, field=name)


@pytest.mark.parametrize(
    ("hint", "fix"),
    [
        *((hint, rf"{hint.__name__} needs its parentheses: Annotated\[…, {hint.__name__}\(\)\]") for hint in (Text, Keyword, Unique)),
        (Guarded, r"Guarded needs its parentheses: Annotated\[…, Guarded\(\)\]"),
        (Column, r'Column needs its parentheses: Annotated\[…, Column\("name"\)\]'),
        (Places, r"Places needs its parentheses: Annotated\[…, Places\(2\)\]"),
    ],
)
def test_a_hint_has_its_parentheses(hint: Any, fix: str) -> None:
    for annotation in (Annotated[str, hint], Annotated[str | None, hint], Annotated[list[str], hint], list[Annotated[str, hint]]):
        with pytest.raises(DeclarationError, match=rf"Sample\.thing: {fix}"):
            declare(annotation)


SEVERAL = r"it has one name, in bodies and in answers; write Field\(alias="


@pytest.mark.parametrize(
    ("info", "fix"),
    [
        (Field(validation_alias="theThing"), SEVERAL),
        (Field(serialization_alias="theThing"), SEVERAL),
        (Field(alias="theThing", serialization_alias="that"), SEVERAL),
        (Field(validation_alias=AliasChoices("thing", "theThing")), SEVERAL),
        (Field(validation_alias=AliasPath("things", 0)), SEVERAL),
        (Field(alias="the-thing"), "the alias 'the-thing' cannot be a parameter; use letters, digits and _"),
        (Field(alias="_thing"), "the alias '_thing' cannot be a parameter"),
        (Field(alias="x" * 64), "cannot be a parameter"),
        (Field(alias="sort"), "the alias 'sort' cannot be used: 'sort' is kept for parameters and addresses .*; choose another"),
        (Field(alias="id"), "the alias 'id' cannot be used: every resource has \"id\" from the runtime.*; choose another"),
        (Field(alias="Not"), "the alias 'Not' is a word of filters; choose another"),
    ],
)
def test_an_alias_that_cannot_work_is_refused(info: Any, fix: str) -> None:
    with pytest.raises(DeclarationError, match=rf"Sample\.thing: .*{fix}"):
        declare(Annotated[str, info])
    with pytest.raises(DeclarationError, match=rf"Bad\.thing: .*{fix}"):
        type(Document)("Bad", (Document,), {"__annotations__": {"thing": Annotated[str, info]}, "__module__": __name__})


@pytest.mark.parametrize("alias", ["theThing", "thething", "other"])
def test_two_fields_have_two_names(alias: str) -> None:
    thing, another = Annotated[str, Field(alias="theThing")], Annotated[str, Field(alias=alias)]
    fields = {"__annotations__": {"thing": thing, "other": str, "another": another}, "__module__": __name__}
    for base, options in ((Resource, {"name": "samples"}), (Document, {})):
        with pytest.raises(DeclarationError, match=r"Sample\.another: '.*' names (thing|other) too; choose another alias"):
            type(base)("Sample", (base,), fields, **options)


def test_what_pydantic_takes_and_a_table_does_not_hold_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"Sample\.whole: a computed_field is stored nowhere; write a plain @property"):

        class Sample(Resource, name="samples"):
            thing: str

            @computed_field
            @property
            def whole(self) -> str:
                return self.thing

    with pytest.raises(DeclarationError, match=r"Other: extra='allow' would lose what it takes; take it away"):

        class Other(Resource, name="others"):
            model_config = ConfigDict(extra="allow")
            thing: str

    with pytest.raises(DeclarationError, match=r"Made\.b: its default is made of other fields"):

        class Made(Resource, name="made"):
            a: str
            b: str = Field(default_factory=lambda data: data["a"])

    numbers = count()
    with pytest.raises(DeclarationError, match=r"Drawn\.a: its default is another one each time; give it None"):

        class Drawn(Resource, name="drawn"):
            a: int = Field(default_factory=lambda: next(numbers))


def test_what_pydantic_refuses_is_one_line_too() -> None:
    with pytest.raises(DeclarationError, match=r"^Sample: x = 3 has no annotation; a field has one, for example thing: int = 3$"):

        class Sample(Resource, name="samples"):
            x = 3

    with pytest.raises(DeclarationError, match=r"^Shape: x = 3 has no annotation"):

        class Shape(Document):
            x = 3


@pytest.mark.parametrize(
    "annotation", [object, bytes, dict[str, str], set[str], tuple[int, ...], Any, Credentials, SecretStr, list[list[str]], complex]
)
def test_unsupported_types_are_refused_with_those_that_are_supported(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Sample\.thing: .* cannot be stored; use str, EmailStr, int, .* or a list of these"):
        declare(annotation)


def test_an_annotation_whose_name_is_unknown_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"Sample\.thing: .*Nowhere.* cannot be stored; use str"):
        declare("Nowhere")


@pytest.mark.parametrize(
    ("annotation", "default", "fix"),
    [
        (Decimal, ..., r"a Decimal needs Places\(0\) to Places\(9\): Annotated\[Decimal, Places\(2\)\]"),
        (Annotated[Decimal, Places(10)], ..., r"a Decimal needs Places\(0\) to Places\(9\)"),
        (Annotated[Decimal, Places(-1)], ..., r"a Decimal needs Places\(0\) to Places\(9\)"),
        (Annotated[int, Places(2)], ..., "Places belongs to a Decimal"),
        (Annotated[str, Guarded()], ..., "a Guarded field needs a default"),
        (Annotated[Password, Text()], ..., "a secret cannot be searched.*take that hint away"),
        (Annotated[Secret, Keyword()], ..., "a secret cannot be searched"),
        (Annotated[Secret, Unique()], ..., "a secret cannot be .*unique"),
        (Annotated[Password, Guarded()], ..., "a secret cannot be .*guarded"),
        (Password | None, None, "a secret cannot be .*optional"),
        (list[Secret], ..., "a secret cannot be .*a list"),
        (Annotated[int, Text()], ..., "Text and Keyword belong to strings"),
        (Annotated[date, Keyword()], ..., "Text and Keyword belong to strings"),
        (Annotated[list[str], Unique()], ..., "Unique belongs to"),
        (Annotated[float, Unique()], ..., "Unique belongs to"),
        (Annotated[bool, Unique()], ..., "Unique belongs to"),
        (Annotated[UUID, Field(max_length=10)], ..., "min_length and max_length belong to texts and lists"),
        (str | int, ..., r"a union is only supported as `X \| None`"),
        (str | int | None, ..., r"a union is only supported as `X \| None`"),
        (list[str | None], ..., r"a list cannot hold None; write `list\[X\]` or `list\[X\] \| None`"),
        (Literal["a", 1], ..., "the choices of a Literal or Enum must be strings"),
        (Literal["a", None], ..., "the choices of a Literal or Enum must be strings"),  # noqa: PYI061
        (Numbers, ..., "the choices of a Literal or Enum must be strings"),
        (Annotated[str, Column("Über Name")], ..., "Column.'Über Name'. should have lower-case letters, digits and _"),
        (str, None, "its default does not fit the annotation .*; change one of them"),
        (Literal["open", "closed"], "gone", "its default does not fit the annotation .*; change one of them"),
        (Annotated[int, Field(ge=1)], 0, "its default does not fit the annotation"),
        (Annotated[Decimal, Places(2)], Decimal("0.001"), "its default cannot be stored .*at most 2 places.*; choose another"),
        (str, "zero\0byte", "its default cannot be stored"),
    ],
)
def test_hints_that_do_not_fit_are_refused_with_the_fix(annotation: Any, default: Any, fix: str) -> None:
    with pytest.raises(DeclarationError, match=rf"Sample\.thing: .*{fix}"):
        declare(annotation, default)


@pytest.mark.parametrize("column", ["id", "version", "created_at", "updated_at"])
def test_columns_of_the_runtime_are_refused(column: str) -> None:
    with pytest.raises(DeclarationError, match=rf"Sample\.thing: the column '{column}' is used twice; give it Column"):
        declare(Annotated[str, Column(column)])


def test_two_fields_in_one_column_are_refused() -> None:
    with pytest.raises(DeclarationError, match=r"Sample\.b: the column 'same' is used twice; give it Column"):

        class Sample(Resource, name="samples"):
            a: Annotated[str, Column("same")]
            b: Annotated[str, Column("same")]


def test_the_column_of_a_unique_key_is_taken_too() -> None:
    with pytest.raises(DeclarationError, match=r"Sample\.email_key: the column 'email_key' is used twice"):

        class Sample(Resource, name="samples"):
            email: Annotated[str, Unique()]
            email_key: str


@pytest.mark.parametrize("name", sorted(RESERVED_RESOURCES))
def test_names_of_resources_that_are_kept_for_the_services_are_refused_with_all_of_them(name: str) -> None:
    told = rf"Sample: the name '{name}' cannot be used: /{name} is kept for the services themselves, as are /capabilities, /docs, "
    with pytest.raises(DeclarationError, match=rf'{told}.*choose another, for example name="all-{name}"'):
        declare(str, name=name)
    declare(str, name=f"all-{name}")


@pytest.mark.parametrize("name", ["", "Users", "1st", "a_b", "a b", "ü", "x" * 64])
def test_names_of_resources_that_are_no_path_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=r'Sample: the name .* cannot be used; write class Sample\(Resource, name="things"\)'):
        declare(str, name=name)


def test_a_resource_without_a_name_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r'Sample: .*write class Sample\(Resource, name="things"\)'):

        class Sample(Resource):
            thing: str


@pytest.mark.parametrize("table", [*sorted(RESERVED_TABLES), "sqlite_things"])
def test_tables_of_the_runtime_are_refused_given_or_derived(table: str) -> None:
    for options in ({"name": table.replace("_", "-")}, {"table": table}):
        with pytest.raises(DeclarationError, match=rf'Sample: the table {table!r} cannot be used: .*; give it another with table="'):
            declare(str, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"table": "Users"}, "the table 'Users' cannot be used; choose lower-case letters, digits and _"),
        ({"table": ""}, "the table '' cannot be used"),
        ({"topic": "of users"}, "the topic 'of users' cannot be used; choose letters, digits, - and _"),
        ({"topic": "t" * 201}, "the topic 't+' cannot be used"),
        ({"group": "a/b"}, "the group 'a/b' cannot be used"),
        ({"index": "Users"}, "the index 'Users' cannot be used; choose .*lower case"),
        ({"index": "_users"}, "the index '_users' cannot be used"),
        ({"index": "users-000002"}, "the index 'users-000002' cannot be used; .* an end unlike -000001"),
        ({"partitions": 0}, "partitions=0 cannot be used; choose 1 to 1000"),
        ({"partitions": 1001}, "partitions=1001 cannot be used"),
        ({"commands": ("create", "destroy")}, "commands='destroy' cannot be used; it takes a tuple of create, replace, patch, delete"),
        ({"commands": "create"}, "commands='create' cannot be used; it takes a tuple of"),
        ({"tabel": "users"}, "tabel= is not a class argument; it takes name, table, topic, group, index, partitions, commands"),
    ],
)
def test_class_arguments_that_no_engine_takes_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=f"Sample: {words}"):
        declare(str, **options)


def test_commands_may_be_any_iterable() -> None:
    assert declare(str, commands=iter(["create", "patch"])).free == {"create", "patch"}
    assert declare(str, commands=()).free == set()


@pytest.mark.parametrize("what", ["name", "table", "topic", "group", "index"])
def test_two_resources_share_nothing(what: str) -> None:
    given = {"name": "users", "table": "user", "topic": "users-topic", "group": "user-group", "index": "users"}
    other = {each: value if each == what else f"other{number}" for number, (each, value) in enumerate(given.items())}

    class Other(Resource, **other):
        thing: str

    with pytest.raises(DeclarationError, match=f"Other: {what}={given[what]!r} is User's too; give one of them another"):
        App(User, Other)


def test_an_app_without_resources_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"App\(\) needs at least one resource: App\(User\)"):
        App()


def test_an_app_takes_classes() -> None:
    class Sample(Resource, name="samples"):
        thing: str = ""

    for wrong, told in ((Sample(), "an instance of Sample"), (Resource, ".*Resource"), ("samples", "'samples'"), (Field, ".*Field")):
        with pytest.raises(DeclarationError, match=rf"App\(\) takes classes of resources: App\(User\)\. {told}.* is none"):
            App(wrong)  # type: ignore[arg-type]


class TestCommands:
    def test_it_needs_no_parentheses(self) -> None:
        class Sample(Resource, name="samples"):
            thing: str = ""

            @command
            def close(self) -> Self:
                return self

        assert Sample.declaration.commands["close"].event == "close"

    def test_it_returns_the_new_state(self) -> None:
        def nothing(self): ...
        def none(self) -> None: ...
        def another(self) -> int: ...
        def whole(self) -> Resource: ...

        for method in (nothing, none, another):
            fix = rf"a command returns the new state; write def {method.__name__}\(…\) -> Self, and return self\.model_copy"
            with pytest.raises(DeclarationError, match=rf"Sample\.{method.__name__}: {fix}"):
                declare_command(method)
        assert declare_command(whole)

        def delete(self): ...

        assert declare_command(delete)

    def test_two_arguments_have_two_names(self) -> None:
        def close(self, reason: Annotated[str, Field(alias="why")], other: Annotated[str, Field(alias="why")] = "") -> Self: ...

        with pytest.raises(DeclarationError, match=r"Sample\.close\.other: 'why' names reason too; choose another alias"):
            declare_command(close)

    def test_an_argument_has_one_name(self) -> None:
        def close(self, reason: Annotated[str, Field(validation_alias="why")]) -> Self: ...

        with pytest.raises(DeclarationError, match=r"Sample\.close: the parameter 'reason': it has one name"):
            declare_command(close)

    def test_a_parameter_needs_an_annotation(self) -> None:
        def close(self, reason): ...

        with pytest.raises(DeclarationError, match=r"Sample\.close: the parameter 'reason' needs an annotation, for example reason: str"):
            declare_command(close)

    def test_parameters_have_names(self) -> None:
        def anything(self, *reasons: str) -> Self: ...
        def everything(self, **reasons: str) -> Self: ...
        def nothing(self, reason: str, /) -> Self: ...
        def hidden(self, _reason: str) -> Self: ...

        for method in (anything, everything, nothing, hidden):
            with pytest.raises(DeclarationError, match=rf"Sample\.{method.__name__}: the parameter '_?reasons?' "):
                declare_command(method)

    def test_a_command_is_not_async(self) -> None:
        async def close(self) -> Self: ...

        with pytest.raises(DeclarationError, match=r"Sample\.close: a command is a plain function; write def, not async def"):
            declare_command(close)

    @pytest.mark.parametrize("event", ["Closed", "was closed", "users.closed", "1st", "é", "x" * 64])
    def test_an_event_is_one_lower_case_word(self, event: str) -> None:
        def close(self) -> Self: ...

        with pytest.raises(DeclarationError, match=rf"Sample\.close: event={event!r} should have lower-case letters, digits, _ and -"):
            declare_command(close, event=event)

    def test_deleted_is_the_event_of_delete_alone(self) -> None:
        def close(self) -> Self: ...

        with pytest.raises(DeclarationError, match=r"Sample\.close: event='deleted' is the event of delete.*choose another"):
            declare_command(close, event="deleted")

    @pytest.mark.parametrize("name", ["create", "replace", "patch", "delete"])
    def test_the_event_of_a_free_command_is_fixed(self, name: str) -> None:
        def method(self) -> Self: ...

        with pytest.raises(DeclarationError, match=rf"Sample\.{name}: event='renamed' has no effect on {name}.*write @command\(\)"):
            declare_command(method, event="renamed", name=name)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("copy", "Pydantic's classes have 'copy' themselves"),
            ("model_dump", "Pydantic's classes have 'model_dump' themselves"),
            ("export", "'export' is kept for parameters and addresses of queries, as are count, cursor, .*"),
            ("document", "'document' is an attribute of resources themselves, as are command, declaration, document"),
            ("id", 'every resource has "id" from the runtime.*'),
            ("Close", "the name is a part of the URL, and has lower-case letters, digits and _"),
            ("_close", "the name is a part of the URL, and has lower-case letters, digits and _"),
        ],
    )
    def test_names_of_pydantic_and_the_runtime_are_refused_with_the_reason(self, name: str, why: str) -> None:
        def method(self) -> Self: ...

        with pytest.raises(DeclarationError, match=rf"^Sample\.{name}: {why}; rename the command$"):
            declare_command(method, name=name)

    def test_a_name_that_was_not_imported_is_told(self) -> None:
        def close(self, when: Tomorrow) -> Self: ...  # noqa: F821

        with pytest.raises(DeclarationError, match=r"Sample\.close: name 'Tomorrow' is not defined; import the name"):
            declare_command(close)

    def test_arguments_come_from_json(self) -> None:
        def close(self, app: App) -> Self: ...

        with pytest.raises(DeclarationError, match=r"Sample\.close: its arguments cannot be read from JSON"):
            declare_command(close)

    def test_a_command_may_name_its_own_class(self) -> None:
        def close(self, reason: str = "none") -> Sample: ...  # noqa: F821

        assert declare_command(close).commands["close"].event == "close"

    def test_secrets_are_found_wherever_they_are_in_an_argument(self) -> None:
        def reset(
            self,
            bare: Password,
            annotated: Annotated[Secret, Field(min_length=8)],
            several: list[SecretStr],
            model: Credentials,
            public: str,
            ctx: Context,
            optional: Password | None = None,
        ) -> Self: ...

        spec = declare_command(reset).commands["reset"]
        assert spec.secret_arguments == {"bare", "annotated", "several", "model", "optional"}
        assert spec.takes_context
        assert "ctx" not in spec.arguments.model_fields


def test_everything_is_derived_from_the_name() -> None:
    made = declare(str, name="blog-posts")
    assert (made.table, made.topic, made.group, made.index) == ("blog_posts", "blog-posts-topic", "blog-posts-group", "blog-posts")
    assert (made.partitions, made.free, made.dead_letters) == (4, {"create", "replace", "patch", "delete"}, "blog-posts-topic.dlq")


def test_the_built_in_app_has_the_names_of_the_article() -> None:
    user = User.declaration
    assert (user.name, user.table, user.topic, user.group, user.index) == ("users", "user", "users-topic", "user-group", "users")
    assert [(field.name, field.column) for field in user.fields] == [("name", "username"), ("email", "email"), ("password", "password")]
    assert [field.name for field in user.public] == ["name", "email"]


def test_a_lists_length_is_not_the_length_of_its_items() -> None:
    field = declare(Annotated[list[Annotated[str, Field(max_length=50)]], Keyword(), Field(max_length=3)]).field("thing")
    assert (field.many, field.keyword, field.max_length) == (True, True, 50)


@pytest.mark.parametrize("annotation", [Annotated[str, Field(max_length=5)] | None, Annotated[str | None, Field(max_length=5)]])
def test_a_length_counts_wherever_it_stands(annotation: Any) -> None:
    field = declare(annotation, None).field("thing")
    assert (field.nullable, field.max_length) == (True, 5)


@pytest.mark.parametrize(("annotation", "choices"), [(Literal["a", "b"], ("a", "b")), (Colour, ("red",))])
def test_choices_are_keywords_by_themselves(annotation: Any, choices: tuple[str, ...]) -> None:
    field = declare(annotation).field("thing")
    assert (field.choices, field.filterable, field.sortable) == (choices, True, True)


def test_the_digest_changes_with_what_clients_see_and_with_nothing_else() -> None:
    digests = [declare(each).digest for each in (str, Annotated[str, Text()], Annotated[str, Column("other")], EmailStr)]
    assert len(set(digests)) == 1
    assert (
        len({declare(each, default).digest for each, default in ((str, ...), (str, "x"), (str | None, None), (list[str], []), (int, 1))})
        == 5
    )


LENGTHS = [
    (
        Annotated[str, Field(max_length=65_537)],
        r"max_length=65537 is never reached, since a text has at most 65536 characters; write max_length=65536 or less, or leave it out",
    ),
    (Annotated[str | None, Text(), Field(max_length=10**6)], "a text has at most 65536 characters"),
    (Annotated[str, StringConstraints(max_length=65_537)], "a text has at most 65536 characters"),
    (Annotated[str, Keyword(), Field(max_length=8192)], r"a Keyword has at most 8191 characters; write max_length=8191 or less"),
    (Annotated[Email, Keyword(), Field(max_length=8192)], "a Keyword has at most 8191 characters"),
    (list[Annotated[str, Keyword(), Field(max_length=8192)]], "a Keyword has at most 8191 characters"),
    (Annotated[list[Annotated[str, Field(max_length=65_537)]] | None, Keyword()], "a Keyword has at most 8191 characters"),
    (Annotated[list[str], Field(max_length=1001)], "max_length=1001 is never reached, since a list has at most 1000 items"),
    (Annotated[list[int], Field(min_length=1001)], "min_length=1001 fits no value, since a list has at most 1000 items; lower it"),
    (Annotated[str, Unique(), Field(max_length=321)], "a Unique value has at most 320 bytes; write max_length=320 or less"),
    (Annotated[str, Unique(), Field(min_length=321)], "min_length=321 fits no value, since a Unique value has at most 320 bytes"),
    (Annotated[str, Field(min_length=5, max_length=4)], "min_length=5 fits no value, since max_length is 4"),
    (Annotated[Password, Field(max_length=1025)], "a secret has at most 1024 bytes; write max_length=1024 or less"),
    (Literal["x" * 8192], "the choice 'x+' cannot be stored: a Keyword has at most 8191 characters"),  # type: ignore[valid-type]
    (Literal["a", "b\0"], "the choice .* cannot be stored"),
]


@pytest.mark.parametrize(("annotation", "fix"), LENGTHS)
def test_a_length_that_no_value_can_have_is_refused(annotation: Any, fix: str) -> None:
    with pytest.raises(DeclarationError, match=rf"^Sample\.thing: .*{fix}"):
        declare(annotation)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Field(max_length=65_536)],
        Annotated[str, Keyword(), Field(max_length=8191)],
        Annotated[list[Annotated[str, Field(max_length=65_536)]], Field(max_length=1000)],
        Annotated[str, Unique(), Field(min_length=320, max_length=320)],
        Annotated[Secret, Field(max_length=1024)],
        Literal["x" * 8191],  # type: ignore[valid-type]
    ],
)
def test_the_longest_lengths_are_taken(annotation: Any) -> None:
    declare(annotation)


@pytest.mark.parametrize(("annotation", "fix"), [each for each in LENGTHS if "secret" not in each[1]])
def test_arguments_have_the_lengths_of_fields(annotation: Any, fix: str) -> None:
    def fill(self: Any, thing: Any) -> Self:
        return self  # type: ignore[no-any-return]

    fill.__annotations__["thing"] = annotation
    with pytest.raises(DeclarationError, match=rf"^Sample\.fill: the parameter 'thing': .*{fix}"):
        declare_command(fill)


def test_a_pattern_that_is_none_is_refused_in_one_line() -> None:
    told = r"^Sample\.thing: unclosed character class; mend its pattern, a regular expression of Rust$"
    with pytest.raises(DeclarationError, match=told):
        declare(Annotated[str, Field(pattern="[a")])
    with pytest.raises(DeclarationError, match=r"^Sample\.thing: look-around.*; mend its pattern"):
        declare(list[Annotated[str, Field(pattern="(?=x)a")]])

    def fill(self: Any, part: Annotated[str, Field(pattern="[a")]) -> Self:
        return self  # type: ignore[no-any-return]

    with pytest.raises(DeclarationError, match=r"^Sample\.fill: .*part: unclosed character class; mend its pattern[^\n]*$"):
        declare_command(fill)


def test_a_table_has_so_many_columns() -> None:
    """With two of a unique field; those of its index are fewer."""
    fields = {**{f"f{number}": bool for number in range(977)}, **{f"u{number}": Annotated[date, Unique()] for number in range(18)}}
    wide(**fields)
    with pytest.raises(DeclarationError, match="Wide: its 995 fields are more than a row of MySQL holds"):
        wide(**fields | {"f0": Annotated[date, Unique()]})


@pytest.mark.filterwarnings("ignore:Field name")  # Pydantic's own
@pytest.mark.parametrize("name", ["model_dump", "model_copy", "model_fields"])
def test_a_field_does_not_take_the_place_of_what_its_class_has(name: str) -> None:
    with pytest.raises(DeclarationError, match=rf"^Sample\.{name}: .* (itself has '{name}'|'{name}' themselves); rename [^\n]*$"):
        declare(str, field=name)


@pytest.mark.filterwarnings("ignore:Field name")
def test_a_documents_field_does_not_take_the_place_of_its_methods() -> None:
    with pytest.raises(DeclarationError, match=r"^Bad\.encoded: the class itself has 'encoded'; rename it, and keep the name in JSON"):
        type(Document)("Bad", (Document,), {"__annotations__": {"encoded": str}, "__module__": __name__})


def test_a_resource_may_have_no_fields() -> None:
    assert wide().fields == ()


def wide(**fields: Any) -> Declaration:
    cls: Any = type(Resource)("Wide", (Resource,), {"__annotations__": fields, "__module__": __name__}, name="wide")
    return cls.declaration


@pytest.mark.parametrize(
    ("annotation", "most", "told"),
    [
        (Annotated[str, Field(max_length=500)], 32, r"Wide: its columns have 66233 bytes in a row, and a row .* 65535; .*as of f0"),
        (str, 196, "Wide: its 197 fields are more than a row of MySQL holds"),
        (list[int], 196, "Wide: its 197 fields are more"),
        (Annotated[int, Unique()], 63, "Wide: it has 64 unique fields, and a row of MySQL has keys for 63; take Unique away from some"),
    ],
)
def test_a_table_that_mysql_would_refuse_is_refused(annotation: Any, most: int, told: str) -> None:
    wide(**{f"f{number}": annotation for number in range(most)})
    with pytest.raises(DeclarationError, match=told):
        wide(**{f"f{number}": annotation for number in range(most + 1)})
