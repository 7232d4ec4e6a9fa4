"""Every error code that a service answers with, and what it means to who receives it. Served under `/problems/{code}`."""

from __future__ import annotations

PROBLEMS = {
    "malformed-json": "The body is not JSON, or JSON that could be read in two ways (a member twice, NaN, half a surrogate pair).",
    "malformed-header": "A header does not have the form that its specification gives it.",
    "invalid-parameter": "A query parameter is unknown or its value does not fit; `errors` names it and what is allowed.",
    "invalid-cursor": "The cursor is not one that this service gave, or belongs to another query. Start again without it.",
    "not-found": "There is nothing at this address.",
    "method-not-allowed": "The address is right, the method is not; `Allow` lists those that are.",
    "exists": "The id exists, and If-None-Match: * asked for a new one.",
    "deleted": "The id was deleted. A deleted id is never given out again.",
    "version-mismatch": "The resource has another version than If-Match names; `version` is the current one.",
    "precondition-required": "PUT needs If-Match with the version that it replaces, or If-None-Match: * to create.",
    "too-large": "The body, or the resource that it leads to, is too large.",
    "unsupported-media-type": "The Content-Type is not the one that this method takes.",
    "validation-failed": "The body does not fit the declaration; `errors` lists everything that is wrong with it.",
    "taken": "A unique value belongs to another resource. The code names the field: `email-taken`.",
    "refused": "A command of the app refused; `code` and `detail` say why.",
    "idempotency-key-reused": "The Idempotency-Key was used for another request.",
    "row-locked": "Somebody else holds a lock on the resource. Nothing was done; try again.",
    "misdirected": "The service is bound to this machine, and the Host header names another.",
    "overloaded": "More work waits than the service promises to finish soon. Nothing was done; try again.",
    "write-store-unavailable": "The write store cannot be reached. Nothing was done; try again.",
    "read-store-unavailable": "The read store cannot answer now; try again.",
    "declaration-outdated": "The index was rebuilt for another declaration than this instance has, which waits to be replaced; try again.",
    "outcome-unknown": "The connection was lost during the commit. Retry with the same Idempotency-Key to learn the outcome.",
    "refused-by-store": "The write store refuses values that passed validation. The log of the service has the reason.",
    "command-broken": "A command of the app failed. The log of the service has the reason.",
    "internal-error": "The service failed. Its log has the reason.",
}
