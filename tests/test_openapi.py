"""What the OpenAPI documents say is what the services do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import jsonschema_rs
import pytest
import schemathesis
from examples.accounts import app as accounts
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import Field
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from starlette.routing import Mount, Route

from tests.conftest import QUICK, temporary_folder
from tests.stack import Stack
from twofold import App, Keyword, Places, Resource, Secret, Unique, command
from twofold.command import body, passwords, published
from twofold.command import openapi as command_openapi
from twofold.query import openapi as query_openapi
from twofold.query import tokens
from twofold.users import User


def no_failure(context: Any, response: Any, case: Any) -> bool | None:
    """A token that nobody was given is never visible."""
    if response.status_code == 503 and response.json()["code"] == "projection-lagging":
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_failure,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
]
BOUNDED = settings(
    max_examples=25,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
APP = App(User, *(declaration.cls for declaration in accounts))
BODIES = {
    "users": {"name": "Ana", "email": "ana@example.com", "password": "correct horse"},
    "accounts": {"owner": "Ana", "opened_on": "2026-01-31", "note": "new", "tags": ["a"]},
}
OPERATIONS = [
    ("command", "POST", "/users"),
    ("command", "PUT", "/users/{id}"),
    ("command", "PATCH", "/users/{id}"),
    ("command", "DELETE", "/users/{id}"),
    ("command", "PUT", "/users/{id}/password"),
    ("command", "POST", "/accounts"),
    ("command", "PUT", "/accounts/{id}"),
    ("command", "PATCH", "/accounts/{id}"),
    ("command", "DELETE", "/accounts/{id}"),
    ("command", "POST", "/accounts/{id}/deposit"),
    ("command", "POST", "/accounts/{id}/withdraw"),
    ("command", "POST", "/accounts/{id}/close"),
    ("query", "GET", "/capabilities"),
    ("query", "GET", "/users"),
    ("query", "POST", "/users/search"),
    ("query", "GET", "/users/suggest"),
    ("query", "GET", "/users/export"),
    ("query", "GET", "/users/{id}"),
    ("query", "GET", "/accounts"),
    ("query", "POST", "/accounts/search"),
    ("query", "GET", "/accounts/suggest"),
    ("query", "GET", "/accounts/export"),
    ("query", "GET", "/accounts/{id}"),
]


@pytest.fixture(scope="module")
def served() -> Iterator[Stack]:
    """Users and accounts together, one of each in the index."""
    with pytest.MonkeyPatch.context() as patch, temporary_folder() as folder:
        patch.setattr(passwords, "_HASHER", QUICK)
        patch.setattr(tokens, "WAIT", 0)
        stack = Stack(APP, folder)
        for name, body in BODIES.items():
            assert stack.command.post(f"/{name}", body).status_code == 201
        stack.settle()
        yield stack
        stack.close()


def service(stack: Stack, name: str) -> Any:
    return {"command": stack.commands, "query": stack.queries}[name].http


def document(stack: Stack, name: str) -> dict[str, Any]:
    return getattr(stack, name).get("/openapi.json").json()


@pytest.mark.parametrize("name", ["command", "query"])
class TestDocument:
    def test_it_is_openapi_3_1(self, served: Stack, name: str) -> None:
        OPENAPI_31_VALIDATOR.validate(document(served, name))

    def test_every_schema_is_a_json_schema_whose_references_lead_somewhere(self, served: Stack, name: str) -> None:
        whole = document(served, name)
        for schema in whole["components"]["schemas"]:
            jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": whole["components"]})
        used = set(re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', getattr(served, name).get("/openapi.json").text))
        assert used <= set(whole["components"]["schemas"])

    def test_it_names_every_route_and_no_other(self, served: Stack, name: str) -> None:
        routed = {
            (method, route.path)
            for route in service(served, name).router.routes
            if isinstance(route, Route) and route.path.startswith(("/users", "/accounts", "/capabilities"))
            for method in (route.methods or set()) - {"HEAD"}
        }
        described = {(method.upper(), path) for path, methods in document(served, name)["paths"].items() for method in methods}
        assert routed == described == {(method, path) for where, method, path in OPERATIONS if where == name}

    def test_every_operation_has_an_id_of_its_own(self, served: Stack, name: str) -> None:
        ids = [operation["operationId"] for methods in document(served, name)["paths"].values() for operation in methods.values()]
        assert len(ids) == len(set(ids))

    def test_no_answer_shows_a_secret(self, served: Stack, name: str) -> None:
        schemas = document(served, name)["components"]["schemas"]
        assert "password" not in schemas["User"]["properties"]
        assert ("User_password" in schemas) == (name == "command")

    def test_the_documentation_page_needs_nobody_else(self, served: Stack, name: str) -> None:
        page = getattr(served, name).get("/docs")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "//" not in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            part: httpx.Response = getattr(served, name).get(f"/{link}")
            assert (part.status_code, bool(part.content)) == (200, True), link

    def test_the_files_of_the_page_are_those_and_no_others(self, served: Stack, name: str) -> None:
        assert not [route for route in service(served, name).router.routes if isinstance(route, Mount)]
        for path in ("..%2f__init__.py", "%2e%2e/__init__.py", "nothing", "oauth2-redirect.html", "swagger-editor.js", "swagger-ui.js"):
            assert getattr(served, name).get(f"/docs/static/{path}").status_code == 404

    def test_whatever_the_page_is_made_of_has_its_policy(self, served: Stack, name: str) -> None:
        page = getattr(served, name).get("/docs")
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert [Path(link).name for link in links] == ["favicon-32x32.png", "swagger-ui.css", "swagger-ui-bundle.js", "start.js"]
        parts = [page, *(getattr(served, name).get(f"/{link}") for link in links)]
        assert {part.headers.get("content-security-policy") for part in parts} == {page.headers["content-security-policy"]}

    def test_every_operation_tells_what_any_may_answer(self, served: Stack, name: str) -> None:
        for methods in document(served, name)["paths"].values():
            for operation in methods.values():
                assert {"403", "421", "500"} <= operation["responses"].keys()

    def test_what_swagger_ui_fills_in_is_answered(self, served: Stack, name: str) -> None:
        """Try it out, Execute: every example of a parameter and of a body at once."""
        existing = served.query.get("/users?sort=created_at").json()["items"][0]["id"]
        for path, methods in document(served, name)["paths"].items():
            if name == "command" or "get" not in methods | ({"get": 1} if path.endswith("/search") else {}):
                continue
            (method, operation), *_ = methods.items()
            shown = [(each["name"], _filled_in(each)) for each in operation.get("parameters", ()) if each["in"] == "query"]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            given = [(name, value) for name, value in shown if value is not None]
            options = {} if body is None else {"json": body}
            answer = served.query(method.upper(), path.replace("{id}", existing), params=given or None, **options)
            assert answer.status_code in (200, 404), (path, given, answer.text)
            assert answer.status_code == 200 or "{id}" in path
            required = {each["name"] for each in operation.get("parameters", ()) if each["required"] and each["in"] == "query"}
            assert required <= dict(given).keys()


def _filled_in(parameter: dict[str, Any]) -> Any:
    """What the form of Swagger UI holds before anybody has written into it."""
    return parameter.get("example", parameter["schema"].get("default"))


def test_only_what_fits_beside_everything_else_is_an_example(served: Stack) -> None:
    for methods in document(served, "query")["paths"].values():
        for operation in methods.values():
            assert {each["name"] for each in operation.get("parameters", ()) if "example" in each} <= {"q", "limit"}


def test_what_generators_would_name_after_its_place_has_a_name(served: Stack) -> None:
    """Objects in objects: two of the same name break clients that openapi-python-client generates."""
    for name, schema in document(served, "query")["components"]["schemas"].items():
        for part in schema.get("properties", {}).values():
            inner = part.get("items", part)
            assert inner.get("type") != "object" or set(inner) & {"additionalProperties"}, (name, part)
        assert all("$ref" in each for each in schema.get("oneOf", ())), name


def test_examples_of_decimals_have_their_places_and_nothing_more(served: Stack) -> None:
    properties = document(served, "query")["components"]["schemas"]["Account"]["properties"]
    assert properties["balance"]["examples"] == ["12.00"]


def test_guarded_and_secret_fields_are_asked_of_clients_where_they_may_give_them(served: Stack) -> None:
    schemas = document(served, "command")["components"]["schemas"]
    assert set(schemas["NewUser"]["properties"]) == {"name", "email", "password"}
    assert set(schemas["UserMembers"]["properties"]) == {"name", "email"}
    assert set(schemas["NewAccount"]["properties"]) == {"owner", "note", "tags", "opened_on"}
    assert set(schemas["Account"]["properties"]) > {"balance", "status", "closed_on", "id", "version"}


ASKED = [pytest.param(operation, mode, id=f"{' '.join(operation)}-{mode}") for operation in OPERATIONS for mode in GenerationMode]


# What takes nothing cannot be asked wrongly.
@pytest.mark.parametrize(("operation", "mode"), [each for each in ASKED if each.id != "query GET /capabilities-negative"])
def test_the_services_answer_as_they_are_described(served: Stack, operation: tuple[str, str, str], mode: GenerationMode) -> None:
    name, method, path = operation
    schema = schemathesis.openapi.from_asgi("/openapi.json", service(served, name))
    checks = [*CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS
    existing = served.query.get(f"/{path.split('/')[1]}?sort=created_at").json()["items"][0]["id"] if "{id}" in path else ""
    # Of what may fit, half is asked of a resource that exists.
    ids = [None, {"id": existing}] if "{id}" in path and method != "DELETE" and mode is GenerationMode.POSITIVE else [None]
    for path_parameters in ids:
        strategy = schema[path][method].as_strategy(generation_mode=mode, path_parameters=path_parameters)

        @BOUNDED
        @given(case=strategy)
        def run(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=checks)

        run()


class Priced(Resource, name="priced"):
    """Things with prices.

    In more lines than one.
    """

    amount: int = 0
    price: Annotated[Decimal, Places(2), Field(ge=0)] = Decimal(0)
    note: str | None = None
    marks: Annotated[list[str], Keyword()] = Field(default_factory=list)
    code: Annotated[str | None, Unique(), Keyword()] = None
    most: Annotated[int, Field(ge=-(10**30), le=10**30)] = 0
    key: Secret = Secret("none")

    @command
    def raise_(
        self, by: Decimal, notes: list[str], why: Annotated[str, Field(alias="reason")] = "", times: Annotated[int, Field(le=9)] = 1
    ) -> Self:
        """Raises the price."""
        return self


@pytest.fixture(scope="module")
def priced() -> dict[str, Any]:
    return command_openapi.describe(App(Priced, title="My shop"))


def test_bodies_are_published_with_the_forms_and_bounds_that_are_checked(priced: dict[str, Any]) -> None:
    schemas = priced["components"]["schemas"]
    own, arguments = schemas["NewPriced"]["properties"], schemas["Priced_raise_"]["properties"]
    assert (own["amount"]["minimum"], own["amount"]["maximum"], own["amount"]["format"]) == (-(2**63), 2**63 - 1, "int64")
    assert (arguments["times"]["minimum"], arguments["times"]["maximum"]) == (-(2**63), 9)
    for text, number in (own["price"]["anyOf"], arguments["by"]["anyOf"]):
        assert (text["pattern"], number["type"]) == (r"^-?\d+(\.\d+)?$", "number")
    assert own["price"]["anyOf"][1]["minimum"] == 0
    assert own["note"]["anyOf"][0]["maxLength"] == 65_536
    assert (own["marks"]["maxItems"], own["marks"]["items"]["maxLength"]) == (1000, 8191)
    assert (own["most"]["minimum"], own["most"]["maximum"]) == (-(2**63), 2**63 - 1)
    assert (own["code"]["anyOf"][0]["maxLength"], own["key"]["maxLength"]) == (320, 1024)
    assert schemas["Priced_key"]["properties"]["key"]["maxLength"] == 1024
    assert (arguments["notes"]["maxItems"], arguments["notes"]["items"]["maxLength"]) == (1000, 65_536)
    assert arguments["reason"]["maxLength"] == 65_536


def test_docstrings_and_the_title_are_in_it(priced: dict[str, Any]) -> None:
    assert priced["info"]["title"] == "My shop command service"
    assert priced["tags"] == [{"name": "priced", "description": "Things with prices.\n\nIn more lines than one."}]
    assert priced["paths"]["/priced/{id}/raise_"]["post"]["description"] == "Raises the price."
    queries = query_openapi.describe(App(Priced, title="My shop"))
    assert (queries["info"]["title"], queries["tags"]) == ("My shop query service", priced["tags"])


def test_a_duration_is_published_and_noted_as_it_is_answered() -> None:
    class Job(Resource, name="jobs"):
        took: timedelta = timedelta(days=400, milliseconds=-1)

        @command()
        def wait(self, longer: timedelta = timedelta(days=730)) -> Self:
            return self.model_copy(update={"took": self.took + longer})

    schemas = published.of_fields(Job.declaration)["properties"], published.of_arguments(Job.declaration.commands["wait"])["properties"]
    assert (schemas[0]["took"]["default"], schemas[1]["longer"]["default"]) == ("P399DT23H59M59.999S", "P730D")
    assert body.arguments(Job.declaration.commands["wait"], {"longer": "P400D"})[1] == '{"longer":"P400D"}'
