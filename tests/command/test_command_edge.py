"""What the command service refuses at its edge, before anything is decided."""

from __future__ import annotations

import gzip

import pytest
from tests.stack import JSON, Stack, chunks

from twofold.runtime.web import MAX_BODY

ANA = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}
NOBODY = "/users/00000000-0000-7000-8000-000000000000"


@pytest.fixture
def stack(shared_stack: Stack) -> Stack:
    """One for all: what is refused leaves nothing behind."""
    return shared_stack


class TestValidation:
    def test_everything_wrong_is_told_at_once(self, stack: Stack) -> None:
        answer = stack.command.post("/users", {"email": "nobody", "password": "password", "age": 7, "a/b~c": None})
        found = {error["pointer"]: error["code"] for error in answer.json()["errors"]}
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-failed")
        assert found == {
            "/name": "missing",
            "/email": "value_error",
            "/password": "password_common",
            "/age": "extra_forbidden",
            "/a~1b~0c": "extra_forbidden",
        }

    @pytest.mark.parametrize("value", [True, 1, 1.5, None, [], {}, ["Ana"], {"": "Ana"}])
    @pytest.mark.parametrize("member", ["name", "email", "password"])
    def test_a_wrong_type_is_not_made_right(self, stack: Stack, member: str, value: object) -> None:
        answer = stack.command.post("/users", {**ANA, member: value})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [f"/{member}"])

    @pytest.mark.parametrize(
        "email",
        ["", "x", "@", "a@b", "a b@example.com", "ana@exam ple.com", "a@-x.com", "ana@\u200bexample.com", "a@" + "b" * 250 + ".com"],
    )
    def test_an_address_that_is_none_is_refused(self, stack: Stack, email: str) -> None:
        answer = stack.command.post("/users", {**ANA, "email": email})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/email"])

    @pytest.mark.parametrize("body", [b"[]", b'[{"name":"Ana"}]', b'"x"', b"1", b"null", b"true"])
    def test_a_body_that_is_no_object_is_refused(self, stack: Stack, body: bytes) -> None:
        answer = stack.command("POST", "/users", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "")

    @pytest.mark.parametrize("member", ["id", "version", "created_at", "role", "is_admin", "email_key", "__proto__", ""])
    def test_no_member_is_assigned_that_was_not_declared(self, stack: Stack, member: str) -> None:
        answer = stack.command.post("/users", {**ANA, member: "x"})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [f"/{member}"])

    @pytest.mark.parametrize(
        "content", [b"", b"{", b'{"name":"Ana","name":"Eve"}', b'{"name":NaN}', rb'{"name":"\ud800"}', b"\xff", b"[" * 50_000]
    )
    def test_what_is_not_json_is_a_bad_request(self, stack: Stack, content: bytes) -> None:
        answer = stack.command("POST", "/users", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json5", "json", ""]
    )
    def test_another_content_type_is_refused_with_the_right_one(self, stack: Stack, kind: str) -> None:
        answer = stack.command("POST", "/users", content=b"{}", headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"], answer.headers["accept"]) == (415, "unsupported-media-type", "application/json")

    def test_no_content_type_is_another_content_type(self, stack: Stack) -> None:
        assert stack.command("POST", "/users", content=b"{}").status_code == 415


class TestSize:
    def test_a_body_may_fill_the_limit(self, stack: Stack) -> None:
        body = b'{"name":"%s"}' % (b"x" * (MAX_BODY - 11))
        assert stack.command("POST", "/users", content=body, headers=JSON).status_code == 422
        assert stack.command("POST", "/users", content=body + b" ", headers=JSON).status_code == 413

    def test_ten_megabytes_are_refused_before_they_are_read(self, stack: Stack) -> None:
        sent: list[int] = []
        answer = stack.command("POST", "/users", content=chunks(16 * 1024, 640, sent), headers={**JSON, "Content-Length": str(10 << 20)})
        assert (answer.status_code, answer.json()["code"], answer.headers["connection"]) == (413, "too-large", "close")
        assert sum(sent) <= MAX_BODY + 2 * 16 * 1024

    def test_an_endless_body_without_a_length_is_refused(self, stack: Stack) -> None:
        sent: list[int] = []
        answer = stack.command("POST", "/users", content=chunks(1024, 10**9, sent), headers=JSON)
        assert (answer.status_code, len(sent)) == (413, MAX_BODY // 1024 + 1)

    def test_a_compressed_body_is_refused(self, stack: Stack) -> None:
        bomb = gzip.compress(b" " * (50 << 20))
        answer = stack.command("POST", "/users", content=bomb[:MAX_BODY], headers={**JSON, "Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")

    def test_a_body_without_a_length_is_read(self, stack: Stack) -> None:
        async def parts():
            yield b'{"name":"Ana",'
            yield b'"email":"chunks@example.com","password":"correct horse"}'

        assert stack.command("POST", "/users", content=parts(), headers=JSON).status_code == 201


class TestAddresses:
    @pytest.mark.parametrize(
        "url", ["/", "/nobody", "/users/", "/Users", "//users", "/users/1/2/3", "/users%2f", f"{NOBODY}/name", f"{NOBODY}/"]
    )
    def test_what_is_not_there_is_a_problem(self, stack: Stack, url: str) -> None:
        answer = stack.command.post(url, ANA)
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "id_", ["1", "me", "00000000-0000-7000-8000-00000000000", "00000000-0000-7000-8000-00000000000A", "0" * 36, "%00", "..%2f..", "é"]
    )
    def test_what_is_no_id_is_not_found(self, stack: Stack, id_: str) -> None:
        for answer in (stack.command.patch(f"/users/{id_}", {"name": "A"}), stack.command.delete(f"/users/{id_}")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    @pytest.mark.parametrize(
        ("method", "url", "allowed"),
        [
            ("GET", "/users", {"POST"}),
            ("HEAD", "/users", {"POST"}),
            ("OPTIONS", "/users", {"POST"}),
            ("DELETE", "/users", {"POST"}),
            ("TRACE", "/users", {"POST"}),
            ("GET", NOBODY, {"PUT", "PATCH", "DELETE"}),
            ("OPTIONS", NOBODY, {"PUT", "PATCH", "DELETE"}),
            ("POST", NOBODY, {"PUT", "PATCH", "DELETE"}),
            ("POST", f"{NOBODY}/password", {"PUT"}),
            ("GET", f"{NOBODY}/password", {"PUT"}),
            ("POST", "/openapi.json", {"GET", "HEAD"}),
            ("PUT", "/readyz", {"GET", "HEAD"}),
        ],
    )
    def test_another_method_is_told_which_are_allowed(self, stack: Stack, method: str, url: str, allowed: set[str]) -> None:
        answer = stack.command(method, url)
        assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, allowed)
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"])
    def test_no_header_changes_method_or_address(self, stack: Stack, name: str) -> None:
        assert stack.command("POST", NOBODY, headers={name: "DELETE" if "Method" in name else "/users"}).status_code == 405
