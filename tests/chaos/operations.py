"""From a seed to what a client does, and what must come of it. Pure: the same seed gives the same operations.

A client has accounts that nobody else touches. For these the plan knows the answer to every operation: done, with which version, or
refused, with which code. Accounts that clients share take deposits, withdrawals and transfers of all of them at once.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

SHARED = ("shared-1", "shared-2", "shared-3")
MOST_ACCOUNTS = 40  # that a client has at a time
MOST_GONE = 20  # deleted accounts that a client still asks for
TWINS, REPEATED = 0.25, 0.05  # how many are sent to both command services at a time; how many are sent again once they are done
TWIN_SECONDS = 0.012  # how far apart twins are, at most
WEIGHTS = {  # a new account costs the hash of a password, so most of the time goes to accounts that are there
    "create": 6,
    "put": 3,
    "taken": 2,
    "patch": 14,
    "replace": 10,
    "mismatch": 3,
    "deposit": 16,
    "withdraw": 8,
    "empty": 4,
    "overdraw": 4,
    "secret": 2,
    "delete": 6,
    "gone": 2,
    "shared-deposit": 8,
    "shared-withdraw": 4,
    "transfer": 4,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One command. `mark` is unique, and stays where the operation was done."""

    mark: str
    kind: str  # create, put, patch, replace, deposit, withdraw, secret, delete
    account: str
    expected: str | None = "done"  # or the code of a refusal; None: done or refused, as others have left the account
    leaves: int | None = None  # the version that it has then
    handle: str = ""
    id: str = ""  # for put
    amount: int = 0
    version: int | None = None  # If-Match
    leans_on: str = ""  # another account that the answer depends on
    twin: float | None = None  # seconds after which the same is sent to the other command service
    service: int = 0
    repeated: bool = False
    then: Operation | None = None  # only if this one was done


@dataclass(slots=True)
class Model:
    """A private account as it is once everything before was answered."""

    name: str
    handle: str
    version: int = 1
    balance: int = 0


def opening() -> list[Operation]:
    """The shared accounts."""
    return [Operation(f"open-{name}", "create", name, leaves=1, handle=name) for name in SHARED]


def operations(seed: int, client: int) -> Iterator[Operation]:
    """What a client does, one after the other, without an end."""
    writer = _Writer(random.Random(f"{seed}/client {client}"), client)
    while True:
        yield writer.next()


@dataclass
class _Writer:
    draw: random.Random
    client: int
    number: int = 0
    accounts: list[Model] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def next(self) -> Operation:
        [kind] = self.draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if kind in ("create", "put") and len(self.accounts) >= MOST_ACCOUNTS:
            kind = "delete"
        shared = kind in ("shared-deposit", "shared-withdraw", "transfer")
        if not shared and not self.accounts:
            kind = "create"
        self.number += 1
        made: Operation = getattr(self, f"_{kind.replace('-', '_')}")(f"c{self.client}n{self.number}")
        return self._sent(made, guarded=shared and kind != "shared-deposit")

    def _sent(self, made: Operation, *, guarded: bool) -> Operation:
        """How it is sent. What others may change has no twin: one may be refused and the other, a moment later, rightly not."""
        twin, delay, repeated, service = self.draw.random(), self.draw.uniform(0, TWIN_SECONDS), self.draw.random(), self.draw.randrange(2)
        return replace(made, service=service, twin=delay if twin < TWINS and not guarded else None, repeated=repeated < REPEATED)

    def _some(self) -> Model:
        return self.draw.choice(self.accounts)

    def _change(self, mark: str, kind: str, account: Model, **more: int) -> Operation:
        account.version += 1
        return Operation(mark, kind, account.name, leaves=account.version, **more)

    def _create(self, mark: str) -> Operation:
        self.accounts.append(Model(f"account {mark}", f"handle-{mark}"))
        return Operation(mark, "create", f"account {mark}", leaves=1, handle=f"handle-{mark}")

    def _put(self, mark: str) -> Operation:
        id_ = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        return replace(self._create(mark), kind="put", id=id_)

    def _taken(self, mark: str) -> Operation:
        """A handle that another account of this client has."""
        other = self._some()
        return Operation(mark, "create", f"account {mark}", "handle-taken", handle=other.handle, leans_on=other.name)

    def _patch(self, mark: str) -> Operation:
        return self._change(mark, "patch", self._some())

    def _replace(self, mark: str) -> Operation:
        account = self._some()
        account.handle = f"handle-{mark}"
        return replace(self._change(mark, "replace", account), version=account.version - 1, handle=account.handle)

    def _mismatch(self, mark: str) -> Operation:
        account = self._some()
        other = account.version + self.draw.choice((1, 7))
        return Operation(mark, "patch", account.name, "version-mismatch", version=other)

    def _deposit(self, mark: str) -> Operation:
        account, amount = self._some(), self.draw.randint(1, 100)
        account.balance += amount
        return self._change(mark, "deposit", account, amount=amount)

    def _withdraw(self, mark: str, part: float = 0.5) -> Operation:
        account = self._some()
        if account.balance < 2:
            return self._deposit(mark)
        amount = max(1, int(account.balance * part))
        account.balance -= amount
        return self._change(mark, "withdraw", account, amount=amount)

    def _empty(self, mark: str) -> Operation:
        """Everything that is there: done once, it cannot be done again."""
        return self._withdraw(mark, 1.0)

    def _overdraw(self, mark: str) -> Operation:
        account = self._some()
        return Operation(mark, "withdraw", account.name, "insufficient-funds", amount=account.balance + 1)

    def _secret(self, mark: str) -> Operation:
        return self._change(mark, "secret", self._some())

    def _delete(self, mark: str) -> Operation:
        account = self.accounts.pop(self.draw.randrange(len(self.accounts)))
        self.gone = [account.name, *self.gone][:MOST_GONE]
        return self._change(mark, "delete", account)

    def _gone(self, mark: str) -> Operation:
        if not self.gone:
            return self._delete(mark)
        return Operation(mark, "patch", self.draw.choice(self.gone), "deleted")

    def _shared_deposit(self, mark: str) -> Operation:
        return Operation(mark, "deposit", self.draw.choice(SHARED), amount=self.draw.randint(1, 50))

    def _shared_withdraw(self, mark: str) -> Operation:
        return Operation(mark, "withdraw", self.draw.choice(SHARED), None, amount=self.draw.randint(1, 100))

    def _transfer(self, mark: str) -> Operation:
        """Two commands: the second is sent once the first was done."""
        taken, given = self.draw.sample(SHARED, 2)
        amount = self.draw.randint(1, 100)
        second = Operation(f"{mark}-to", "deposit", given, amount=amount, service=self.draw.randrange(2))
        return Operation(mark, "withdraw", taken, None, amount=amount, then=second)
