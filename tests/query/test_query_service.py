"""The query service over HTTP, on the embedded default."""

from __future__ import annotations

import base64
import threading
from dataclasses import replace
from operator import itemgetter
from typing import Any

import httpx
import orjson
import pytest
import structlog
from tests.stack import Stack

from twofold import Resource
from twofold.errors import Contended, Rejected, Unavailable
from twofold.index import checks
from twofold.query import language, outdated
from twofold.users import User

NAMES = ["Ana García", "Anna Müller", "Björn Ek", "Ana Ek", "O'Neill", "😀 Smile", "Zoë <b>", "ana lower"]


class Stranger(Resource, name="strangers"):
    city: str = ""


NOBODY = "/users/00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def users(shared_stack: Stack) -> list[dict[str, Any]]:
    """As the command service showed them, in the order in which they were created."""
    bodies = [{"name": name, "email": f"user{number}@example.com", "password": "correct horse"} for number, name in enumerate(NAMES)]
    made = [shared_stack.command.post("/users", body).json() for body in bodies]
    shared_stack.settle()
    return made


@pytest.fixture
def query(shared_stack: Stack, users: Any) -> Any:
    return shared_stack.query


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def forged(query: Any, values: list[Any]) -> str:
    """A cursor of the right query with other values."""
    mark, *_ = orjson.loads(base64.urlsafe_b64decode(query.get("/users?limit=1").json()["next_cursor"] + "=="))
    return base64.urlsafe_b64encode(orjson.dumps([mark, *values])).decode()


class TestGet:
    def test_it_shows_what_the_command_service_showed(self, query: Any, users: list[dict[str, Any]]) -> None:
        answer = query.get(f"/users/{users[0]['id']}")
        assert (answer.status_code, answer.json()) == (200, users[0])
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (f'"1.{User.declaration.digest}"', "private, no-cache")

    @pytest.mark.parametrize("tags", ["{tag}", "W/{tag}", '"x", {tag}', "*", ' "x",{tag} '])
    def test_what_is_still_the_same_is_not_sent_again(self, query: Any, users: list[dict[str, Any]], tags: str) -> None:
        url = f"/users/{users[0]['id']}"
        answer = query.get(url, if_none_match=tags.format(tag=query.get(url).headers["etag"]))
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", query.get(url).headers["etag"])

    @pytest.mark.parametrize("tag", ['"1"', '"2"', "x", ""])
    def test_another_tag_is_another_version(self, query: Any, users: list[dict[str, Any]], tag: str) -> None:
        assert query.get(f"/users/{users[0]['id']}", if_none_match=tag).status_code == 200

    @pytest.mark.parametrize(
        "url",
        [NOBODY, "/users/1", "/users/_all", "/users/_search", "/users/%2e%2e", "/users/" + "0" * 36, "/users/" + "A" * 8 + NOBODY[15:]],
    )
    def test_what_is_not_there_is_not_found(self, query: Any, url: str) -> None:
        answer = query.get(url)
        assert (answer.status_code, answer.json()["code"], answer.headers["content-type"]) == (404, "not-found", "application/problem+json")

    def test_what_was_deleted_is_not_found_and_what_was_changed_is(self, stack: Stack) -> None:
        body = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}
        gone, kept = (stack.command.post("/users", {**body, "email": f"{each}@example.com"}).headers["location"] for each in "ab")
        stack.settle()
        stack.command.delete(gone)
        changed = stack.command.patch(kept, {"name": "Anna"}).json()
        stack.settle()
        assert (stack.query.get(gone).status_code, stack.query.get(kept).json()) == (404, changed)
        assert names(stack.query.get("/users")) == ["Anna"]
        assert stack.query.get(kept).headers["etag"].startswith('"2.')

    def test_head_is_get_without_a_body_of_interest(self, query: Any, users: list[dict[str, Any]]) -> None:
        answer = query("HEAD", f"/users/{users[0]['id']}")
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"1.{User.declaration.digest}"')


class TestSearch:
    def test_all_are_listed_the_newest_first(self, query: Any, users: list[dict[str, Any]]) -> None:
        body = query.get("/users").json()
        assert body["items"] == sorted(sorted(users, key=itemgetter("id")), key=itemgetter("created_at"), reverse=True)  # some in one ms
        assert (body["total"], body["limit"], body["next_cursor"]) == ({"value": len(users), "relation": "eq"}, 20, None)

    @pytest.mark.parametrize(
        ("q", "found"),
        [
            ("ana", {"Ana García", "Ana Ek", "ana lower"}),
            ("an", {"Ana García", "Anna Müller", "Ana Ek", "ana lower"}),
            ("an ", set()),
            ("garcia", {"Ana García"}),
            ("muller ann", {"Anna Müller"}),
            ("ek ana", {"Ana Ek"}),
            ("user3@example.com", {"Ana Ek"}),
            ("& ana", {"Ana García", "Ana Ek", "ana lower"}),
            ("o'neill", {"O'Neill"}),
            ('"ana" OR *', set()),
            ("nobody", set()),
            ("", set(NAMES)),
        ],
    )
    def test_words_are_found(self, query: Any, q: str, found: set[str]) -> None:
        assert set(names(query.get("/users", {"q": q}))) == found

    def test_filters_are_exact_and_alternatives(self, query: Any) -> None:
        assert names(query.get("/users", {"name": "Ana Ek"})) == ["Ana Ek"]
        assert names(query.get("/users", {"name": "ana ek"})) == []
        assert set(names(query.get("/users", {"email": ["user0@example.com", "user1@example.com"]}))) == set(NAMES[:2])
        assert names(query.get("/users", {"email": "user0@example.com", "name": "Ana Ek"})) == []

    def test_the_order_is_as_asked(self, query: Any, users: list[dict[str, Any]]) -> None:
        assert names(query.get("/users", {"sort": "name"})) == sorted(NAMES)
        assert names(query.get("/users", {"sort": "-email"})) == NAMES[::-1]
        assert [item["id"] for item in query.get("/users", {"sort": "version,-id"}).json()["items"]] == sorted(
            (user["id"] for user in users), reverse=True
        )

    @pytest.mark.parametrize("limit", [1, 2, 3, 8])
    @pytest.mark.parametrize("asked", [{}, {"sort": "-name"}, {"q": "e"}, {"q": "example", "sort": "name"}, {"sort": "version"}])
    def test_pages_lead_to_the_end_without_a_gap_or_a_repetition(self, query: Any, asked: dict[str, str], limit: int) -> None:
        whole = names(query.get("/users", {**asked, "limit": 100}))
        found, url, pages = [], f"/users?{httpx.QueryParams({**asked, 'limit': limit})}", 0
        while url:
            answer = query.get(url)
            found += names(answer)
            assert answer.json()["total"]["value"] == len(whole)
            url = answer.links["next"]["url"] if "next" in answer.links else ""
            assert bool(url) == (answer.json()["next_cursor"] is not None)
            pages += 1
        assert found == whole
        assert pages <= len(whole) // limit + 1

    def test_a_page_stays_where_it_is_when_others_come(self, stack: Stack) -> None:
        def create(number: int) -> None:
            stack.command.post("/users", {"name": f"{number}", "email": f"{number}@example.com", "password": "correct horse"})

        for number in range(4):
            create(number)
        stack.settle()
        first = stack.query.get("/users?limit=2").json()
        create(9)
        stack.settle()
        second = stack.query.get("/users", {"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [item["name"] for item in [*first["items"], *second["items"]]] == ["3", "2", "1", "0"]

    def test_the_next_link_keeps_what_was_asked(self, query: Any) -> None:
        answer = query.get("/users", {"q": "ana & <é>", "name": ["Ana Ek", "O'Neill"], "limit": 1})
        kept = httpx.URL(answer.links["next"]["url"]).params
        assert (kept.get_list("name"), kept["q"], kept["limit"]) == (["Ana Ek", "O'Neill"], "ana & <é>", "1")
        assert kept["cursor"] == answer.json()["next_cursor"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("query_string", "parameter"),
        [
            ("nothing=1", "nothing"),
            ("password=x", "password"),
            ("offset=-1", "offset"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("sort=password", "sort"),
            ("sort=nothing", "sort"),
            ("q=" + "x" * 257, "q"),
            ("q=a&q=b", "q"),
            ("%00=1", "\0"),
        ],
    )
    def test_a_parameter_that_does_not_fit_is_told_with_what_does(self, query: Any, query_string: str, parameter: str) -> None:
        answer = query.get(f"/users?{query_string}")
        assert (answer.status_code, answer.json()["code"], answer.headers["content-type"]) == (
            400,
            "invalid-parameter",
            "application/problem+json",
        )
        (error,) = answer.json()["errors"]
        assert error["parameter"] == parameter
        assert any(word in error["detail"] for word in ("Allowed are:", "0 to 1", "At most", "once"))

    @pytest.mark.parametrize("given", ["x", "", "e30", "W10", "é", "%ff", "a" * 60_000])
    def test_a_bad_cursor_is_told(self, query: Any, given: str) -> None:
        answer = query.get(f"/users?cursor={given}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    @pytest.mark.parametrize(
        "values",
        [[1, "id"], ["yesterday", "id"], [True, "id"], [None, 7], [1e308, "id"], [2**63, "id"], ["2026-01-31T12:00:00.000Z", False]],
    )
    def test_a_forged_cursor_is_no_failure_of_the_store(self, query: Any, values: list[Any]) -> None:
        answer = query.get("/users", {"cursor": forged(query, values)})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    def test_a_forged_cursor_does_not_fail_its_neighbours(self, query: Any) -> None:
        bad = {"cursor": forged(query, [7, 7])}
        answers = query.together([("GET", "/users", {"params": bad if number % 2 else {}}) for number in range(40)])
        assert {(number % 2, answer.status_code) for number, answer in enumerate(answers)} == {(0, 200), (1, 400)}

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def test_nothing_is_written_here(self, query: Any, method: str) -> None:
        for url in ("/users", NOBODY):
            answer = query(method, url, json={})
            assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})

    def test_a_search_by_body_is_posted(self, query: Any) -> None:
        answer = query.get("/users/search")
        assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method-not-allowed", "POST")

    def test_a_link_that_is_longer_than_proxies_take_is_left_out(self, query: Any) -> None:
        filters = [" OR ".join(f'name != "{"é" * length}"' for _ in range(20)) for length in (1, 40)]
        short, long = (query.get("/users", {"limit": "1", "filter": each}) for each in filters)
        assert [bool(answer.json()["next_cursor"]) for answer in (short, long)] == [True, True]
        assert ["next" in answer.links for answer in (short, long)] == [True, False]

    @pytest.mark.parametrize("words", ["Python int too large to convert to SQLite INTEGER", "no such table: doc_users"])
    def test_the_words_of_a_driver_are_for_the_log(self, stack: Stack, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
        def search(*_: Any, **__: Any) -> Any:
            raise Rejected(words)

        monkeypatch.setattr(stack.system.index, "search", search)
        with structlog.testing.capture_logs() as told:
            answer = stack.query.get("/users")
        assert (answer.status_code, answer.json()["code"], words in answer.text) == (400, "invalid-parameter", False)
        assert [each["reason"] for each in told] == [words]

    def test_a_long_filter_is_read_beside_the_loop_and_a_short_one_is_not(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        """Fifty milliseconds each are nothing to whoever asks, and much to all others, who would wait for them one after the other."""
        threads: list[bool] = []
        read = language.read
        noted = lambda *given: threads.append(threading.current_thread().name.startswith("asking")) or read(*given)  # noqa: E731
        monkeypatch.setattr(language, "read", noted)
        long = " OR ".join(f"name IN [{','.join('abcdefghij')}]" for _ in range(20))
        answers = [stack.query.get("/users", {"filter": text}) for text in ("name = a", long, long[:-1])]
        assert [answer.status_code for answer in answers] == [200, 200, 400]
        assert threads == [False, True, True]

    def test_more_intervals_than_are_told_are_told_of(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks, "MAX_INTERVALS", 0)
        assert stack.command.post("/users", {"name": "Ana", "email": "a@example.com", "password": "correct horse"}).status_code == 201
        stack.settle()
        answer = stack.query.get("/users?facets=created_at:hour")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
        assert "created_at:hour has more than 0 intervals" in answer.json()["detail"]

    @pytest.mark.parametrize(
        "text",
        [
            "'; DROP TABLE doc_users; --",
            '" OR "1"="1',
            "NEAR(a b)",
            "a:b",
            "-ana",
            "(",
            "\\",
            "%",
            "_",
            "{}",
            "a*b",
            "AND",
            "^ana",
        ],
    )
    def test_text_is_only_ever_a_value(self, query: Any, text: str) -> None:
        for parameters in ({"q": text}, {"q": f"{text} "}, {"name": text}):
            assert len(names(query.get("/users", parameters))) < len(NAMES)


class TestEngineDown:
    @pytest.mark.parametrize("failure", [Unavailable("10.0.0.7 refused"), Contended("locked")])
    @pytest.mark.parametrize("url", ["/users", "/users?q=ana", NOBODY])
    def test_it_is_told_with_when_to_come_back(self, stack: Stack, monkeypatch: pytest.MonkeyPatch, failure: Exception, url: str) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise failure

        monkeypatch.setattr(stack.system.index, "get", fail)
        monkeypatch.setattr(stack.system.index, "search", fail)
        with structlog.testing.capture_logs() as logs:
            answer, again = stack.query.get(url), stack.query.get(url)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "read-store-unavailable", "1")
        assert "10.0.0.7" not in answer.text
        assert [(entry["reason"], entry["instance"]) for entry in logs] == [(str(failure), answer.json()["instance"])]
        assert again.json()["instance"] == answer.json()["instance"]

    @pytest.mark.parametrize("url", ["/users", "/users?q=ana", NOBODY])
    def test_an_index_of_another_declaration_is_told_and_logged_once(self, stack: Stack, url: str) -> None:
        index, users = stack.system.index, User.declaration
        assert stack.query.get("/users").status_code == 200
        newer = replace(users, cls=Stranger, fields=(*users.fields, *Stranger.declaration.fields))
        index.promote(users, index.create(newer, {}))
        outdated._tell.cache_clear()

        with structlog.testing.capture_logs() as logs:
            answers = [stack.query.get(url) for _ in range(3)]

        found = {(answer.status_code, answer.json()["code"], answer.headers["retry-after"]) for answer in answers}
        assert found == {(503, "declaration-outdated", "10")}
        told = "The index users is now users-000002, which was built for another declaration: this program is the older one."
        assert [line["reason"] for line in logs if line["event"] == "queries are refused"] == [f"{told} Start the new version."]

    def test_what_is_wrong_with_a_request_is_told_all_the_same(self, stack: Stack) -> None:
        stack.system.index.close()
        assert (stack.query.get("/users?limit=x").status_code, stack.query.get("/users/1").status_code) == (400, 404)
        assert (stack.query.get("/users").status_code, stack.query.get("/readyz").status_code, stack.query.get("/livez").status_code) == (
            503,
            503,
            200,
        )
