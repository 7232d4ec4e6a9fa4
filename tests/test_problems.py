"""Every error is a problem (RFC 9457) of a known type, whose address says what it means."""

from __future__ import annotations

import ast
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import twofold
from tests.stack import JSON, Stack
from twofold.errors import Overloaded, Stopping
from twofold.runtime.problems import PROBLEMS

SOURCES = sorted(Path(twofold.__file__).parent.rglob("*.py"))
ANA = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}
NOBODY = "/users/00000000-0000-7000-8000-000000000000"
REQUESTS: dict[str, Callable[[Stack], httpx.Response]] = {
    "malformed-json": lambda stack: stack.command("POST", "/users", content=b"{", headers=JSON),
    "malformed-header": lambda stack: stack.command.delete(NOBODY, if_match="1"),
    "invalid-parameter": lambda stack: stack.query.get("/users?nothing=1"),
    "invalid-cursor": lambda stack: stack.query.get("/users?cursor=x"),
    "not-found": lambda stack: stack.query.get("/nowhere"),
    "method-not-allowed": lambda stack: stack.query.post("/users", {}),
    "exists": lambda stack: [stack.command.put(NOBODY, ANA, if_none_match="*") for _ in range(2)][1],
    "deleted": lambda stack: [
        stack.command.put(NOBODY, ANA, if_none_match="*"),
        stack.command.delete(NOBODY),
        stack.command.patch(NOBODY, {}),
    ][2],
    "version-mismatch": lambda stack: [stack.command.put(NOBODY, ANA, if_none_match="*"), stack.command.delete(NOBODY, if_match='"9"')][1],
    "precondition-required": lambda stack: stack.command.put(NOBODY, ANA),
    "too-large": lambda stack: stack.command("POST", "/users", content=b"x" * 70_000, headers=JSON),
    "unsupported-media-type": lambda stack: stack.command("PATCH", NOBODY, content=b"{}", headers=JSON),
    "validation-failed": lambda stack: stack.command.post("/users", {}),
    "email-taken": lambda stack: [stack.command.post("/users", ANA) for _ in range(2)][1],
    "idempotency-key-reused": lambda stack: [
        stack.command.post("/users", {**ANA, "name": name}, idempotency_key="k") for name in ("Ana", "Bea")
    ][1],
}


def raised_codes() -> Iterator[tuple[str, str]]:
    """(file and line, code) of every Problem in the sources; a code that is made at run time is shown as its f-string's end."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                for part in ast.walk(node.args[1]):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield f"{path.name}:{node.lineno}", part.value.removeprefix("-")


def test_every_code_in_the_sources_has_its_meaning() -> None:
    codes = list(raised_codes())
    assert len(codes) > 20
    assert [each for each in codes if each[1] not in PROBLEMS] == []


def test_every_meaning_is_of_a_code_in_the_sources() -> None:
    made_elsewhere = {Overloaded.code, Stopping.code, "refused", "not-found", "method-not-allowed", "malformed-header"}
    assert set(PROBLEMS) - made_elsewhere <= {code for _, code in raised_codes()}


@pytest.mark.parametrize("code", REQUESTS)
def test_an_error_is_a_problem_whose_type_is_served(stack: Stack, code: str) -> None:
    answer = REQUESTS[code](stack)
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["status"]) == (code, answer.status_code)
    assert body["title"]
    assert body["detail"]
    assert uuid.UUID(body["instance"].removeprefix("urn:uuid:"))
    for service in (stack.command, stack.query):
        meaning = service.get(body["type"])
        assert (meaning.status_code, meaning.json()["meaning"]) == (200, PROBLEMS[body["type"].removeprefix("/problems/")])


def test_a_type_that_is_none_is_not_found(shared_stack: Stack) -> None:
    answer = shared_stack.command.get("/problems/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_meanings_are_sentences_and_codes_are_kebab_case() -> None:
    for code, meaning in PROBLEMS.items():
        assert code == code.lower().replace("_", "-").replace(" ", "-")
        assert meaning[0].isupper()
        assert meaning.endswith(".")
