"""The command service over HTTP, on the embedded default: what clients rely on, method by method."""

# ruff: noqa: RUF001 - letters that look alike are the point

from __future__ import annotations

import uuid

import pytest
from tests.stack import PATCH, Stack

ANA = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}
NOBODY = "/users/00000000-0000-7000-8000-000000000000"
EMOJI = "Ana 👩‍🚀 Ωmega ﷽"


@pytest.fixture
def ana(stack: Stack) -> str:
    """The address of a user."""
    return stack.command.post("/users", ANA).headers["location"]


def versions(stack: Stack, url: str) -> list[int]:
    """The versions that were published of a resource."""
    return [record.version for _, _, record in stack.system.outbox.pending(1000) if url.endswith(record.key)]


class TestPost:
    def test_it_creates_and_says_where_and_which_version(self, stack: Stack) -> None:
        answer = stack.command.post("/users", ANA)
        body = answer.json()
        id_ = body.pop("id")
        assert (answer.status_code, answer.headers["location"], answer.headers["etag"]) == (201, f"/users/{id_}", '"1"')
        assert answer.headers["consistency-token"] == f"users/{id_}@1"
        assert body == {
            "version": 1,
            "name": "Ana",
            "email": "ana@example.com",
            "created_at": body["created_at"],
            "updated_at": body["created_at"],
        }
        assert uuid.UUID(id_).version == 7

    @pytest.mark.parametrize(
        "name", [EMOJI, "e\u0301", "مرحبا", "O'Neill; DROP TABLE user--", "<script>", "line\nbreak", "\u202eright to left", "x" * 200]
    )
    def test_names_are_kept_as_they_are(self, stack: Stack, name: str) -> None:
        assert stack.command.post("/users", {**ANA, "name": name}).json()["name"] == name

    @pytest.mark.parametrize("name", ["zero\0byte", "bell\a", "\x7f", "\x1b[31m", "", "x" * 201])
    def test_names_with_control_characters_none_or_too_many_are_refused(self, stack: Stack, name: str) -> None:
        answer = stack.command.post("/users", {**ANA, "name": name})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/name"])

    def test_a_query_string_is_passed_over(self, stack: Stack) -> None:
        assert stack.command.post("/users?x=1", ANA).status_code == 201

    def test_a_character_set_may_be_named(self, stack: Stack) -> None:
        assert stack.command("POST", "/users", json=ANA, headers={"Content-Type": "application/JSON; charset=utf-8"}).status_code == 201


class TestUniqueness:
    @pytest.mark.parametrize("email", ["ana@example.com", "ANA@EXAMPLE.COM", "Ana@Example.com", " ana@example.com", "ａｎａ@example.com"])
    def test_a_taken_address_in_any_form_is_refused_and_not_repeated(self, stack: Stack, ana: str, email: str) -> None:
        answer = stack.command.post("/users", {**ANA, "email": email})
        assert (answer.status_code, answer.json()["code"]) == (409, "email-taken")
        assert answer.json()["errors"] == [{"pointer": "/email", "detail": "This value is taken.", "code": "taken"}]
        assert "example" not in answer.text.lower()

    def test_accents_in_another_form_are_the_same_address(self, stack: Stack) -> None:
        assert stack.command.post("/users", {**ANA, "email": "josé@example.com"}).status_code == 201
        assert stack.command.post("/users", {**ANA, "email": "jose\u0301@EXAMPLE.com"}).json()["code"] == "email-taken"

    def test_of_two_at_the_same_time_one_is_created(self, stack: Stack) -> None:
        for number in range(5):
            body = {**ANA, "email": f"race{number}@example.com"}
            answers = stack.command.together([("POST", "/users", {"json": {**body, "name": name}}) for name in ("One", "Two")])
            assert sorted(answer.status_code for answer in answers) == [201, 409]

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_a_change_to_a_taken_address_is_refused(self, stack: Stack, ana: str, method: str) -> None:
        bea = stack.command.post("/users", {**ANA, "email": "bea@example.com"}).headers["location"]
        body = {"name": "Bea", "email": "Ana@example.com"}
        answer = stack.command.put(bea, body, if_match="*") if method == "PUT" else stack.command.patch(bea, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "email-taken")

    def test_the_address_of_who_was_deleted_is_free(self, stack: Stack, ana: str) -> None:
        stack.command.delete(ana)
        assert stack.command.post("/users", ANA).status_code == 201

    def test_a_released_address_is_free(self, stack: Stack, ana: str) -> None:
        stack.command.patch(ana, {"email": "new@example.com"})
        assert stack.command.post("/users", ANA).status_code == 201


class TestPut:
    def test_a_precondition_is_required_and_how_is_said(self, stack: Stack, ana: str) -> None:
        answer = stack.command.put(ana, {"name": "Anna", "email": "anna@example.com"})
        assert (answer.status_code, answer.json()["code"]) == (428, "precondition-required")
        assert "If-Match" in answer.json()["detail"]

    def test_it_replaces_the_version_that_is_named(self, stack: Stack, ana: str) -> None:
        answer = stack.command.put(ana, {"name": "Anna", "email": "anna@example.com"}, if_match='"1"')
        assert (answer.status_code, answer.headers["etag"], answer.json()["name"]) == (200, '"2"', "Anna")

    def test_another_version_is_not_replaced(self, stack: Stack, ana: str) -> None:
        answer = stack.command.put(ana, {"name": "Anna", "email": "anna@example.com"}, if_match='"2"')
        assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (412, "version-mismatch", 1)

    def test_a_star_replaces_any_version(self, stack: Stack, ana: str) -> None:
        assert stack.command.put(ana, {"name": "Anna", "email": "anna@example.com"}, if_match="*").status_code == 200

    def test_it_creates_under_an_id_of_the_clients(self, stack: Stack) -> None:
        created = stack.command.put(NOBODY, ANA, if_none_match="*")
        assert (created.status_code, created.headers["location"], created.headers["etag"]) == (201, NOBODY, '"1"')

    @pytest.mark.parametrize("email", ["ana@example.com", "other@example.com"])
    def test_it_does_not_create_what_exists_even_with_the_same_address(self, stack: Stack, email: str) -> None:
        stack.command.put(NOBODY, ANA, if_none_match="*")
        again = stack.command.put(NOBODY, {**ANA, "email": email}, if_none_match="*")
        assert (again.status_code, again.json()["code"], again.json()["version"]) == (412, "exists", 1)

    def test_a_deleted_id_is_gone(self, stack: Stack, ana: str) -> None:
        stack.command.delete(ana)
        for answer in (
            stack.command.put(ana, ANA, if_none_match="*"),
            stack.command.put(ana, {"name": "A", "email": "a@example.com"}, if_match="*"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "deleted")

    def test_who_is_not_there_is_not_replaced(self, stack: Stack) -> None:
        assert stack.command.put(NOBODY, {"name": "A", "email": "a@example.com"}, if_match='"1"').status_code == 404

    def test_what_is_missing_is_named_and_a_password_has_its_own_address(self, stack: Stack, ana: str) -> None:
        answer = stack.command.put(ana, {"name": "Anna", "password": "another horse"}, if_match="*")
        assert answer.status_code == 422
        assert {error["pointer"]: error["code"] for error in answer.json()["errors"]} == {"/email": "missing", "/password": "secret"}


class TestPatch:
    def test_it_changes_what_it_names(self, stack: Stack, ana: str) -> None:
        answer = stack.command.patch(ana, {"name": "Anna"})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        assert (answer.json()["name"], answer.json()["email"]) == ("Anna", "ana@example.com")

    @pytest.mark.parametrize("body", [{}, {"name": "Ana"}, {"name": "Ana", "email": "ana@example.com"}])
    def test_what_changes_nothing_is_no_event(self, stack: Stack, ana: str, body: dict[str, str]) -> None:
        answer = stack.command.patch(ana, body)
        assert (answer.status_code, answer.headers["etag"], answer.json()["updated_at"]) == (200, '"1"', answer.json()["created_at"])
        assert versions(stack, ana) == [1]

    def test_null_does_not_remove_what_must_be_there(self, stack: Stack, ana: str) -> None:
        answer = stack.command.patch(ana, {"name": None, "email": None})
        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/name", "required"), ("/email", "required")]

    @pytest.mark.parametrize("member", ["id", "version", "created_at", "nothing", "password_hash", "email_key"])
    @pytest.mark.parametrize("value", ["x", 1, None])
    def test_what_is_not_the_clients_is_refused_even_as_null(self, stack: Stack, ana: str, member: str, value: object) -> None:
        answer = stack.command.patch(ana, {member: value})
        assert (answer.status_code, [(error["pointer"], error["code"]) for error in answer.json()["errors"]]) == (
            422,
            [(f"/{member}", "extra_forbidden")],
        )
        assert versions(stack, ana) == [1]

    @pytest.mark.parametrize("kind", ["application/json", "application/json-patch+json", "text/plain", ""])
    def test_another_content_type_is_refused_with_the_right_one(self, stack: Stack, ana: str, kind: str) -> None:
        answer = stack.command("PATCH", ana, content=b'{"name":"Anna"}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.headers["accept-patch"]) == (415, "application/merge-patch+json")

    @pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1"])
    def test_a_body_that_is_no_object_is_refused(self, stack: Stack, ana: str, body: bytes) -> None:
        answer = stack.command("PATCH", ana, content=body, headers=PATCH)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "")

    def test_who_is_not_there_or_gone_is_told_apart(self, stack: Stack, ana: str) -> None:
        stack.command.delete(ana)
        assert stack.command.patch(NOBODY, {"name": "A"}).json()["code"] == "not-found"
        assert stack.command.patch(ana, {"name": "A"}).json()["code"] == "deleted"


class TestDelete:
    def test_it_deletes_once(self, stack: Stack, ana: str) -> None:
        first, second = stack.command.delete(ana), stack.command.delete(ana)
        assert (first.status_code, first.content, second.status_code) == (204, b"", 404)
        assert first.headers["consistency-token"].endswith("@2")

    def test_it_honours_a_version(self, stack: Stack, ana: str) -> None:
        assert stack.command.delete(ana, if_match='"2"').status_code == 412
        assert stack.command.delete(ana, if_match='"1"').status_code == 204


class TestPassword:
    def test_it_is_changed_by_itself(self, stack: Stack, ana: str) -> None:
        answer = stack.command.put(f"{ana}/password", {"password": "another horse"})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (204, b"", '"2"')
        assert versions(stack, ana) == [1, 2]

    def test_it_honours_a_version(self, stack: Stack, ana: str) -> None:
        assert stack.command.put(f"{ana}/password", {"password": "another horse"}, if_match='"7"').status_code == 412

    def test_who_is_not_there_or_gone_has_none(self, stack: Stack, ana: str) -> None:
        stack.command.delete(ana)
        statuses = [stack.command.put(f"{url}/password", {"password": "another horse"}).status_code for url in (NOBODY, ana)]
        assert statuses == [404, 410]

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["/password"]),
            ({"password": "short"}, ["/password"]),
            ({"password": "x" * 257}, ["/password"]),
            ({"password": 12345678}, ["/password"]),
            ({"password": None}, ["/password"]),
            ({"password": "password"}, ["/password"]),
            ({"password": "correct horse", "name": "Ana"}, ["/name"]),
            ({"name": "Ana", "email": "x"}, ["/email", "/name", "/password"]),
            ([], ["/password"]),
            ("correct horse", ["/password"]),
        ],
    )
    def test_a_wrong_one_is_refused_without_repeating_it(self, stack: Stack, ana: str, body: object, pointers: list[str]) -> None:
        answer = stack.command.put(f"{ana}/password", body)
        assert (answer.status_code, sorted(error["pointer"] for error in answer.json()["errors"])) == (422, pointers)

    @pytest.mark.parametrize("password", ["password", "PassWord", "1234567890", "ｐａｓｓｗｏｒｄ"])
    def test_a_common_one_is_refused(self, stack: Stack, password: str) -> None:
        answer = stack.command.post("/users", {**ANA, "password": password})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "password_common")

    def test_it_may_be_long_and_in_any_script(self, stack: Stack) -> None:
        assert stack.command.post("/users", {**ANA, "password": "🐎" * 256}).status_code == 201
        assert stack.command.post("/users", {**ANA, "email": "b@example.com", "password": "パスワードはこれです"}).status_code == 201

    def test_no_hash_is_made_for_an_address_that_does_not_exist(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stack.commands._hashes, "submit", lambda _: pytest.fail("a hash was made"))
        for url, headers in (
            ("/users/1/password", {}),
            (f"{NOBODY}/password", {"If-Match": "7"}),
            (f"{NOBODY}/password", {"Idempotency-Key": ""}),
        ):
            assert stack.command("PUT", url, json={"password": "correct horse"}, headers=headers).status_code in (400, 404)


class TestIfMatch:
    @pytest.mark.parametrize("tags", ['"1"', '"7", "1"', '"1" , "2"', '"a,b", "1"', "*", ' "1"', '"1.0a1b2c3d"', '"x", "1"'])
    def test_one_that_matches_will_do(self, stack: Stack, ana: str, tags: str) -> None:
        assert stack.command.patch(ana, {"name": "Anna"}, if_match=tags).status_code == 200

    @pytest.mark.parametrize("tags", ['"2"', 'W/"1"', '""', '"x"', '"01"', '"-1"', f'"{"9" * 5000}"'])
    def test_none_that_matches_is_a_mismatch(self, stack: Stack, ana: str, tags: str) -> None:
        assert stack.command.patch(ana, {"name": "Anna"}, if_match=tags).status_code == 412

    @pytest.mark.parametrize("tags", ["1", '"1', "1,2", '"1" "2"', "W/1", '"1",', "**", '*, "1"', '"1 "', ""])
    def test_what_is_no_list_of_tags_is_malformed(self, stack: Stack, ana: str, tags: str) -> None:
        answer = stack.command.patch(ana, {"name": "Anna"}, if_match=tags)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-header")

    def test_two_headers_are_one_list(self, stack: Stack, ana: str) -> None:
        headers = [("Content-Type", PATCH["Content-Type"]), ("If-Match", '"7"'), ("If-Match", '"1"')]
        assert stack.command("PATCH", ana, json={"name": "Anna"}, headers=headers).status_code == 200


class TestIdempotency:
    def test_a_repeated_request_gets_the_same_answer_and_is_done_once(self, stack: Stack) -> None:
        first, again = (stack.command.post("/users", ANA, idempotency_key='"abc"') for _ in range(2))
        assert "idempotent-replayed" not in first.headers
        assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (201, first.json(), "true")
        assert [again.headers[name] for name in ("location", "etag", "consistency-token")] == [
            first.headers[name] for name in ("location", "etag", "consistency-token")
        ]
        assert stack.system.outbox.backlog()[0] == 1

    def test_a_bare_key_is_the_quoted_one(self, stack: Stack) -> None:
        stack.command.post("/users", ANA, idempotency_key="abc")
        assert stack.command.post("/users", ANA, idempotency_key='"abc"').headers["idempotent-replayed"] == "true"

    def test_the_order_of_members_does_not_matter(self, stack: Stack) -> None:
        stack.command.post("/users", ANA, idempotency_key="abc")
        assert stack.command.post("/users", dict(reversed(ANA.items())), idempotency_key="abc").status_code == 201

    def test_another_body_method_path_or_version_under_the_same_key_is_refused(self, stack: Stack, ana: str) -> None:
        stack.command.patch(ana, {"name": "Anna"}, idempotency_key="abc", if_match='"1"')
        others = [
            stack.command.patch(ana, {"name": "Anne"}, idempotency_key="abc", if_match='"1"'),
            stack.command.patch(ana, {"name": "Anna"}, idempotency_key="abc", if_match='"2"'),
            stack.command.patch(ana, {"name": "Anna"}, idempotency_key="abc"),
            stack.command.patch(NOBODY, {"name": "Anna"}, idempotency_key="abc", if_match='"1"'),
            stack.command.delete(ana, idempotency_key="abc", if_match='"1"'),
            stack.command.post("/users", {**ANA, "email": "b@example.com"}, idempotency_key="abc"),
        ]
        assert [(other.status_code, other.json()["code"]) for other in others] == [(422, "idempotency-key-reused")] * len(others)

    def test_another_password_under_the_same_key_is_another_request(self, stack: Stack, ana: str) -> None:
        for method, url in (("POST", "/users"), ("PUT", f"{ana}/password")):
            bodies = [{"password": password} for password in ("correct horse", "another horse", "correct horse")]
            if url == "/users":
                bodies = [{**ANA, "email": "bea@example.com", **body} for body in bodies]
            first, other, again = (stack.command(method, url, json=body, headers={"Idempotency-Key": url}) for body in bodies)
            assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
            assert (again.status_code, again.headers["idempotent-replayed"]) == (first.status_code, "true")

    def test_of_two_passwords_at_the_same_time_under_one_key_one_is_another_request(self, stack: Stack, ana: str) -> None:
        for method, url, more in (("POST", "/users", {**ANA, "email": "bea@example.com"}), ("PUT", f"{ana}/password", {})):
            bodies = [{**more, "password": password} for password in ("correct horse", "another horse")]
            asked = [(method, url, {"json": body, "headers": {"Idempotency-Key": url}}) for body in bodies]
            answers = sorted(stack.command.together(asked), key=lambda answer: answer.status_code)
            assert answers[0].is_success
            assert "idempotent-replayed" not in answers[0].headers
            assert (answers[1].status_code, answers[1].json()["code"]) == (422, "idempotency-key-reused")

    def test_a_password_that_was_changed_since_is_still_the_one_that_was_asked_for(self, stack: Stack, ana: str) -> None:
        for number, password in enumerate(("correct horse", "another horse")):
            assert stack.command.put(f"{ana}/password", {"password": password}, idempotency_key=str(number)).status_code == 204
        answer = stack.command.put(f"{ana}/password", {"password": "correct horse"}, idempotency_key="0")
        assert (answer.status_code, answer.headers["idempotent-replayed"], answer.headers["etag"]) == (204, "true", '"2"')

    def test_a_deleted_resource_is_neither_shown_nor_made_again(self, stack: Stack) -> None:
        first = stack.command.post("/users", ANA, idempotency_key="k")
        stack.command.delete(first.headers["location"])
        for password in (ANA["password"], "another horse"):
            again = stack.command.post("/users", {**ANA, "password": password}, idempotency_key="k")
            assert (again.status_code, again.json()["code"], ANA["name"] in again.text) == (410, "deleted", False)
        assert stack.system.store.count(stack.system.app.resources["users"]) == 0

    def test_every_method_takes_a_key(self, stack: Stack, ana: str) -> None:
        asked = [
            ("PATCH", ana, {"json": {"name": "Anna"}, "headers": {**PATCH, "Idempotency-Key": "patch"}}),
            ("PUT", ana, {"json": {"name": "A", "email": "a@example.com"}, "headers": {"If-Match": "*", "Idempotency-Key": "put"}}),
            ("PUT", f"{ana}/password", {"json": {"password": "another horse"}, "headers": {"Idempotency-Key": "password"}}),
            ("DELETE", ana, {"headers": {"Idempotency-Key": "delete"}}),
        ]
        for method, url, options in asked:
            first, again = stack.command(method, url, **options), stack.command(method, url, **options)
            assert first.status_code < 300
            assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (first.status_code, first.content, "true")

    def test_of_many_at_the_same_time_one_is_done(self, stack: Stack) -> None:
        asked = ("POST", "/users", {"json": ANA, "headers": {"Idempotency-Key": "abc"}})
        answers = stack.command.together([asked] * 8)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert stack.system.outbox.backlog()[0] == 1

    def test_a_refusal_is_not_kept(self, stack: Stack, ana: str) -> None:
        bea = {**ANA, "name": "Bea"}
        assert stack.command.post("/users", bea, idempotency_key="abc").status_code == 409
        stack.command.delete(ana)
        assert stack.command.post("/users", bea, idempotency_key="abc").status_code == 201

    @pytest.mark.parametrize("key", ["", '""', '"abc', 'ab"c', "a b", "x" * 256, "é".encode().decode("latin-1"), '"a\\"b"'])
    def test_a_malformed_key_is_refused(self, stack: Stack, key: str) -> None:
        answer = stack.command("POST", "/users", json=ANA, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-header")

    def test_two_keys_are_refused(self, stack: Stack) -> None:
        answer = stack.command("POST", "/users", json=ANA, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")])
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-header")

    @pytest.mark.parametrize("key", ["x" * 255, f'"{"x" * 255}"', '"with space"', "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", "0"])
    def test_any_printable_key_will_do(self, stack: Stack, key: str) -> None:
        assert stack.command.post("/users", ANA, idempotency_key=key).status_code == 201
        assert stack.command.post("/users", ANA, idempotency_key=key).headers["idempotent-replayed"] == "true"
