"""Every error that twofold raises on purpose. A docstring is what the operator reads.

TwofoldError
├── DeclarationError      a resource is declared wrongly; raised at import
├── SettingsError         a setting is missing or wrong; raised at start
│   └── FolderInUse       another process has the data folder
├── Refused               a command says no; the client is told its code and detail
├── Problem               an HTTP answer that is an error (RFC 9457)
├── Overloaded            more waits here than can be done soon: nothing was done, come back later
│   └── Stopping          this process ends and takes nothing more
├── NotSettled            in a test: what was written is not searchable
└── EngineError           an adapter's translation of what its driver raised
    ├── Unavailable       the engine is away, starting, read-only or overloaded: try again later
    ├── Contended         deadlock or lock time-out: run the unit again
    │   └── Changed       a row is not as it was when it was locked
    ├── OutcomeUnknown    the connection was lost, or the disk failed, while committing: ask before doing anything else
    ├── Rejected          the engine will never take this: bad data
    │   ├── Taken         a unique value belongs to somebody else
    │   └── Unfit         a search that does not fit; says what to ask instead
    ├── Stalled           the engine answers, and yet nothing gets on: a new process may help
    ├── Outdated          table, topic or index is not as declared; says what to run
    └── NeedsRebuild      the log no longer holds what the index lacks
"""

from __future__ import annotations

from typing import Any


class TwofoldError(Exception):
    """Base of all errors of twofold."""


class DeclarationError(TwofoldError):
    """A resource is declared wrongly."""


class SettingsError(TwofoldError):
    """A setting is missing or wrong."""


class FolderInUse(SettingsError):
    """Another process of twofold has the data folder."""


class Refused(TwofoldError):
    """A command refuses. `code` is for programs (kebab-case), `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Problem(TwofoldError):
    """An answer that is an error: status, code (the slug of its type) and detail, RFC 9457. Raised `from` an error, the log has that as
    the reason; `instance` names the line of the log, where there is one already.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.instance = ""
        self.members = {**members, **({"errors": errors} if errors else {})}


class Overloaded(TwofoldError):
    """More waits in this process than it can do soon, whatever its engines do. Nothing was done; come back after `seconds`."""

    code = "overloaded"
    detail = "Too many requests are waiting. Try again in a moment."

    def __init__(self, detail: str = "", seconds: int = 1) -> None:
        self.detail = detail or self.detail
        super().__init__(self.detail)
        self.seconds = seconds


class Stopping(Overloaded):
    """The process ends and takes nothing more."""

    code = "shutting-down"
    detail = "The service stops. Nothing was done; try again."


class NotSettled(TwofoldError):
    """What a test has written is not searchable; says what is under way, or was put aside, and why."""


class EngineError(TwofoldError):
    """An engine answered with an error."""


class Unavailable(EngineError):
    """The engine cannot serve right now; the same call may succeed later."""


class Contended(EngineError):
    """Somebody else held a lock; the whole unit can be run again."""


class Changed(Contended):
    """A row was not as the unit had locked it; to run it again may find the same."""


class OutcomeUnknown(EngineError):
    """The connection was lost, or the disk failed, during COMMIT; whether the unit is done must be looked up."""


class Rejected(EngineError):
    """The engine refuses these values for good."""


class Taken(Rejected):
    """A unique value belongs to somebody else. `field` is "" where the engine does not say which."""

    def __init__(self, field: str = "") -> None:
        super().__init__(f"The value of {field or 'a unique field'} is taken.")
        self.field = field


class Unfit(Rejected):
    """A search does not fit the declaration, or asks for more than is answered. Its words are ours, and for whoever asked."""


class Outdated(EngineError):
    """What the engine holds is not what the app declares; the message says what to run."""


class Stalled(EngineError):
    """The engine answers, but this process gets nothing from it, and a new connection did not help: start the process anew."""


class NeedsRebuild(EngineError):
    """The log no longer reaches back to what the index lacks: the index must be rebuilt."""
