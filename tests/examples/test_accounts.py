"""The example app over HTTP, on the embedded default: nothing in the runtime knows users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from examples.accounts import Account, app
from tests.stack import PATCH, Stack

from twofold import App, Refused
from twofold.testing import Client

NEW = {"owner": "Ana García", "opened_on": "2026-01-31", "tags": ["private", "eur"]}


@pytest.fixture
def bank() -> Iterator[Client]:
    with Client(app) as client:
        yield client


@pytest.fixture
def account(bank: Client) -> str:
    return bank.post("/accounts", json=NEW).headers["location"]


def test_an_account_opens_empty_and_open(bank: Client) -> None:
    answer = bank.post("/accounts", json=NEW)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["balance"], body["status"], body["note"], body["tags"]) == ("0.00", "open", None, ["private", "eur"])


def test_money_moves_by_deposits_and_withdrawals(bank: Client, account: str) -> None:
    assert bank.post(f"{account}/deposit", json={"amount": "12.30"}).json()["balance"] == "12.30"
    answer = bank.post(f"{account}/withdraw", json={"amount": "2.05"})
    assert (answer.json()["balance"], answer.headers["etag"]) == ("10.25", '"3"')


def test_more_than_there_is_cannot_be_withdrawn(bank: Client, account: str) -> None:
    refusal = bank.post(f"{account}/withdraw", json={"amount": "0.01"})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "insufficient-funds")
    assert bank.get(refusal.json()["type"]).json()["code"] == "refused"


def test_a_closed_account_stays_closed(bank: Client, account: str) -> None:
    closed = bank.post(f"{account}/close", json={"reason": "moved abroad"}).json()
    assert (closed["status"], closed["version"]) == ("closed", 2)
    assert date.fromisoformat(closed["closed_on"])
    for command, arguments in (("deposit", {"amount": "1"}), ("withdraw", {"amount": "1"}), ("close", {"reason": "again"})):
        assert bank.post(f"{account}/{command}", json=arguments).json()["code"] == "already-closed"


def test_why_it_was_closed_travels_with_the_event_and_is_no_state(open_stack: Callable[[App], Stack]) -> None:
    stack = open_stack(app)
    account = stack.command.post("/accounts", NEW).headers["location"]
    assert "moved" not in stack.command.post(f"{account}/close", {"reason": "moved abroad"}).text
    records = [record for _, _, record in stack.system.outbox.pending(10)]
    assert [record.type for record in records] == ["accounts.created", "accounts.closed"]
    assert records[1].args == '{"reason":"moved abroad"}'


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "x", None, True, []])
def test_an_amount_is_positive_and_has_two_places(bank: Client, account: str, amount: object) -> None:
    refusal = bank.post(f"{account}/deposit", json={"amount": amount})
    assert (refusal.status_code, [error["pointer"] for error in refusal.json()["errors"]]) == (422, ["/amount"])


def test_a_balance_that_no_table_could_hold_is_refused(bank: Client, account: str) -> None:
    refusal = bank.post(f"{account}/deposit", json={"amount": "1" + "0" * 16})
    assert (refusal.status_code, refusal.json()["errors"][0]["pointer"]) == (422, "/balance")


@pytest.mark.parametrize("member", ["balance", "status", "closed_on"])
def test_what_is_guarded_is_changed_by_commands_only(bank: Client, account: str, member: str) -> None:
    values = {"balance": "1000000.00", "status": "closed", "closed_on": "2026-01-31"}
    created = bank.post("/accounts", json={**NEW, member: values[member]})
    patched = bank.patch(account, json={member: values[member]}, headers=PATCH)
    replaced = bank.put(account, json={**NEW, member: values[member]}, headers={"If-Match": "*"})
    for refusal in (created, patched, replaced):
        assert (refusal.status_code, refusal.json()["errors"][0]["code"]) == (422, "guarded")


def test_replacing_an_account_keeps_its_money(bank: Client, account: str) -> None:
    bank.post(f"{account}/deposit", json={"amount": "5"})
    replaced = bank.put(account, json={"owner": "Ana", "opened_on": "2026-02-01"}, headers={"If-Match": '"2"'}).json()
    assert (replaced["balance"], replaced["tags"], replaced["version"]) == ("5.00", [], 3)


def test_a_note_is_removed_by_null(bank: Client, account: str) -> None:
    assert bank.patch(account, json={"note": "calls on Mondays"}, headers=PATCH).json()["note"] == "calls on Mondays"
    assert bank.patch(account, json={"note": None}, headers=PATCH).json()["note"] is None


def test_accounts_are_found_by_word_tag_date_and_money(bank: Client, account: str) -> None:
    bank.post(f"{account}/deposit", json={"amount": "12.3"})
    bank.post("/accounts", json={**NEW, "owner": "Björn", "tags": []})
    bank.settle()
    for query in ("q=gar", "balance=12.3", "tags=eur", "owner=Ana García", "sort=-balance&limit=1", "opened_on=2026-01-31&tags=private"):
        found = bank.get(f"/accounts?{query}").json()["items"]
        assert [(item["owner"], item["balance"]) for item in found] == [("Ana García", "12.30")], query
    assert bank.get("/accounts?status=closed").json()["items"] == []


def test_both_services_show_an_account_alike(bank: Client, account: str) -> None:
    shown = bank.post(f"{account}/deposit", json={"amount": "7"}).json()
    bank.settle()
    assert bank.get(account).json() == shown


def test_the_domain_is_tested_without_the_framework() -> None:
    account = Account(owner="Ana", opened_on=date(2026, 1, 31))
    with pytest.raises(Refused) as refusal:
        account.withdraw(amount=1)
    assert refusal.value.code == "insufficient-funds"
