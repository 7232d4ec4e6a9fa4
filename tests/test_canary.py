"""A password is sent in every way that there is, and looked for everywhere: it is nowhere but in its argon2id hash."""

# ruff: noqa: RUF001 - letters that look alike are the point

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote

import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from pydantic import Field

from tests.stack import JSON, PATCH, Stack
from twofold import App, Password, Refused, Resource, Secret, command, telemetry
from twofold.command import passwords
from twofold.command.writer import Writer
from twofold.users import User

NOBODY = "/users/00000000-0000-7000-8000-000000000000"


class Vault(Resource, name="vaults"):
    """Takes a secret as an argument too, and breaks over it."""

    name: str
    pin: Annotated[Password, Field(min_length=4)]
    token: Secret

    @command()
    def open(self, pin: Annotated[Password, Field(min_length=4)]) -> Self:
        return self

    @command()
    def refuse(self, pin: Password | None = None) -> Self:
        raise Refused("wrong-pin", f"The pin {pin} is wrong.")

    @command()
    def break_(self, pin: Password) -> Self:
        local = pin.get_secret_value()
        raise RuntimeError(f"broken over {pin}, of {len(local)} characters")


def forms(secret: str) -> dict[str, bytes]:
    """What a leak may look like."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "JSON": json.dumps(secret)[1:-1].encode(),
        "JSON, unescaped": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3].encode(),
        "normalised": passwords.normalised(secret).encode(),
        "repr": repr(secret)[1:-1].encode(),
        "URL": quote(secret).encode(),
        "hex": raw.hex().encode(),
        "UTF-16": secret.encode("utf-16-le"),
    }
    for shift in range(3):
        # What stays the same, whatever stands before and after.
        found[f"base64, shifted by {shift}"] = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, raw).digest()
        found[name], found[f"{name}, hex"] = digest, digest.hex().encode()
    return found


def leaks(secrets: list[str], places: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """(place, form) of every secret that is found."""
    return {
        (place, form)
        for secret in secrets
        for form, pattern in forms(secret).items()
        for place, content in places.items()
        if pattern in content or pattern.upper() in content
    }


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Witness:
    """Notes every answer, headers and body."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.answers: list[httpx.Response] = []

    def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        service = self.stack.query if method == "GET" else self.stack.command
        self.answers.append(service(method, url, **options))
        return self.answers[-1]

    @property
    def transcript(self) -> bytes:
        return b"\n".join(repr(answer.headers).encode() + answer.content for answer in self.answers)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the services would write to stderr: everything, as JSON."""
    configure, root = structlog.configure, logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(structlog, "configure", lambda **options: configure(**{**options, "cache_logger_on_first_use": False}))
    stream = io.StringIO()
    telemetry.configure(stream)
    root.setLevel(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)  # the client's, who knows what it sends
    yield stream
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def witness(open_stack: Callable[[App], Stack], logs: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Witness:
    stack = open_stack(App(User, Vault))
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1))
    return Witness(stack)


@pytest.fixture
def secrets() -> list[str]:
    """None of them occurs anywhere else; umlauts, quotes and full-width letters are written differently in different places."""
    return [f"{start}{uuid.uuid4()}" for start in ("plain-", "ümläut-", 'quo"te\\-', "ｗｉｄｅ-")]


def places(witness: Witness, logs: io.StringIO, folder: Path) -> dict[str, bytes]:
    return {**files(folder), "answers": witness.transcript, "logs": logs.getvalue().encode()}


def send_everything(witness: Witness, secret: str) -> None:
    """Every way in which a client may send a password, rightly and wrongly."""
    send, new = witness.send, {"name": "Ana", "email": f"{uuid.uuid4()}@example.com", "password": secret}
    key = {"Idempotency-Key": f"key-{uuid.uuid4()}"}
    created = send("POST", "/users", json=new, headers=key)
    user = created.headers["location"]
    send("POST", "/users", json=new, headers=key)
    send("POST", "/users", json={**new, "name": "Another"}, headers=key)
    send("POST", "/users", json=new)
    for _ in range(2):
        send("PUT", f"{user}/password", json={"password": f"{secret}2"}, headers={"Idempotency-Key": f"{key['Idempotency-Key']}-2"})
    send("PUT", user, json={**new, "name": "Anna"}, headers={"If-Match": "*"})
    send("PATCH", user, json={"password": secret}, headers=PATCH)
    send("PATCH", user, json={"pass": secret, "password_hash": secret}, headers=PATCH)
    for wrong in (secret * 10, [secret], {"value": secret}, secret[:3] + "\0" + secret):
        send("POST", "/users", json={**new, "email": f"{uuid.uuid4()}@example.com", "password": wrong})
        send("PUT", f"{user}/password", json={"password": wrong})
    for field in ("name", "email", "id", "version", "unknown"):
        send("POST", "/users", json={**new, "password": "short", field: [secret]})
    for url in (NOBODY, "/users/1", "/users"):
        send("PUT", f"{url}/password", json={"password": secret})
    send("PUT", f"{user}/password", json={"password": secret}, headers={"If-Match": '"99"'})
    send("PUT", f"{user}/password", json={"password": secret, "extra": secret})
    send("PUT", f"{user}/password", json=secret)
    quoted = json.dumps(secret).encode()
    for content in (b'{"password":%b' % quoted, b'{"password":%b,"password":1}' % quoted, quoted, b"\xff" + quoted, quoted * 2000):
        send("POST", "/users", content=content, headers=JSON)
    send("POST", "/users", data={"password": secret})
    send("POST", "/users", content=quoted, headers={"Content-Type": "text/plain"})
    send("DELETE", f"{user}/password", content=quoted, headers=JSON)
    send("GET", "/users", params={"password": secret})


def send_to_vaults(witness: Witness, secret: str) -> None:
    send = witness.send
    vault = send("POST", "/vaults", json={"name": "gold", "pin": secret, "token": "plain"}).headers["location"]
    for name in ("open", "refuse", "break_"):
        for body in ({"pin": secret}, {"pin": [secret]}, {"pin": secret, "other": secret}):
            send("POST", f"{vault}/{name}", json=body, headers={"Idempotency-Key": f"{uuid.uuid4()}"})


def test_a_password_is_nowhere(
    witness: Witness, secrets: list[str], logs: io.StringIO, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for secret in secrets:
        send_everything(witness, secret)
        send_to_vaults(witness, secret)
    witness.stack.settle()
    assert {answer.status_code for answer in witness.answers} >= {200, 201, 204, 400, 404, 405, 409, 412, 413, 415, 422, 500}
    with monkeypatch.context() as patch:  # the service itself fails while it holds the password
        patch.setattr(Writer, "ask", lambda *_: 1 / 0)
        assert witness.send("POST", "/users", json={"name": "Ana", "email": "x@example.com", "password": secrets[0]}).status_code == 500
    assert leaks(secrets, places(witness, logs, folder)) == set()
    assert {"write.db", "write.db-wal", "log.db", "read.db"} <= files(folder).keys()
    witness.stack.system.close()
    assert leaks(secrets, files(folder)) == set()
    assert b"$argon2id$v=19$m=19456,t=2,p=1$" in files(folder)["write.db"]
    for name in ("log.db", "read.db"):
        assert b"argon2" not in files(folder)[name]
    assert "command failed" in logs.getvalue()
    assert "argon2" not in logs.getvalue()
    assert b"argon2" not in witness.transcript


def test_a_plain_secret_is_in_its_column_alone(witness: Witness, secrets: list[str], logs: io.StringIO, folder: Path) -> None:
    vault = witness.send("POST", "/vaults", json={"name": "gold", "pin": "2468-x", "token": secrets[0]}).headers["location"]
    witness.send("PUT", f"{vault}/token", json={"token": secrets[0]}, headers={"Idempotency-Key": "k"})
    witness.stack.settle()
    found = leaks(secrets, places(witness, logs, folder))
    assert {place.removesuffix("-wal") for place, _ in found} == {"write.db"}
    assert {form for _, form in found}.isdisjoint({"md5", "sha1", "sha256", "sha512"})


def test_a_column_that_is_not_declared_goes_nowhere(witness: Witness, secrets: list[str], logs: io.StringIO, folder: Path) -> None:
    with witness.stack.system.store._database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE user ADD COLUMN zz_canary TEXT DEFAULT '{secrets[0]}'")
        connection.commit()
    user = witness.send("POST", "/users", json={"name": "Ana", "email": "ana@example.com", "password": "correct horse"}).headers["location"]
    witness.send("PATCH", user, json={"name": "Anna"}, headers=PATCH)
    witness.send("PUT", f"{user}/password", json={"password": "another horse"})
    witness.stack.settle()
    witness.send("GET", user)
    witness.send("GET", "/users", params={"q": "anna"})
    assert {place.removesuffix("-wal") for place, _ in leaks(secrets, places(witness, logs, folder))} == {"write.db"}


def test_a_planted_leak_is_found_wherever_it_is(witness: Witness, secrets: list[str], logs: io.StringIO, folder: Path) -> None:
    secret = secrets[0]
    witness.send("POST", "/users", json={"name": secret, "email": "ana@example.com", "password": "correct horse"})
    witness.stack.settle()
    structlog.get_logger().info("logged in", password=secret)
    found = {place.removesuffix("-wal") for place, _ in leaks([secret], places(witness, logs, folder))}
    assert found == {"write.db", "log.db", "read.db", "answers", "logs"}


@pytest.mark.parametrize("form", forms(""))
def test_a_planted_leak_is_found_in_whatever_form(secrets: list[str], form: str) -> None:
    for secret in secrets:
        assert form in {name for _, name in leaks([secret], {"file": b"before " + forms(secret)[form] + b" after"})}
    assert leaks(secrets, {"file": b"nothing of the kind"}) == set()


@pytest.mark.parametrize("shift", range(6))
def test_a_planted_leak_is_found_in_base64_at_any_place(secrets: list[str], shift: int) -> None:
    encoded = base64.b64encode(b"x" * shift + secrets[1].encode() + b"y" * shift)
    assert leaks(secrets, {"file": encoded})


class TestInput:
    """What a client sent is not sent back with a refusal: it may be somebody else's, and answers are logged on the way."""

    @pytest.mark.parametrize("member", ["name", "email", "password", "unknown"])
    @pytest.mark.parametrize("shape", ["x{}\0", "{}@", "@{}", "{}@{}", "{} <{}>", "", "[]"])
    def test_a_value_that_is_refused_is_not_repeated(self, shared_stack: Stack, logs: io.StringIO, member: str, shape: str) -> None:
        marker = f"marker{uuid.uuid4().hex}"
        value: Any = [marker] if shape == "[]" else {marker: marker} if shape == "" else shape.replace("{}", marker)
        body = {"name": "Ana", "email": "no", "password": "short", member: value}
        for answer in (shared_stack.command.post("/users", body), shared_stack.command.patch(NOBODY, body)):
            assert answer.status_code == 422
            assert marker not in answer.text.replace(f"/{member}/{marker}", "")
        assert marker not in logs.getvalue()
