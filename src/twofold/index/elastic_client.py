"""Requests to Elasticsearch or OpenSearch, and what their answers mean, translated in one place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal, cast
from urllib.parse import quote

import orjson
from elastic_transport import HttpHeaders, NodeConfig, NodePool
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config

from twofold.errors import EngineError, Rejected, Unavailable, Unfit
from twofold.index.elastic_node import FAILURES, Node, Response

Engine = Literal["elasticsearch", "opensearch"]
Answer = dict[str, Any]
NAMES: Mapping[Engine, str] = {"elasticsearch": "Elasticsearch", "opensearch": "OpenSearch"}
TIMEOUT_SECONDS = 10.0
# Their reasons speak of indices and nodes, those of others may quote documents and queries.
PLAIN = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
# What the engines call it when too much is asked for. Some are a 500 or 503 to OpenSearch, and none will be better tomorrow.
TOO_MUCH = {
    "too_many_clauses": "; ask for fewer words",
    "too_many_nested_clauses": "; ask for fewer words",
    "too_many_buckets_exception": "; ask for longer intervals, or fewer of them",
}
# What the engines call it where a request is at fault. Everything else that they call a mistake (400) is a state: an index that is closed.
MISTAKES = frozenset(
    (
        "action_request_validation_exception",
        "aggregation_execution_exception",
        "aggregation_initialization_exception",
        "date_time_parse_exception",
        "illegal_argument_exception",
        "input_coercion_exception",
        "invalid_alias_name_exception",
        "invalid_index_name_exception",
        "json_e_o_f_exception",
        "json_parse_exception",
        "mapper_parsing_exception",
        "max_bytes_length_exceeded_exception",
        "named_object_not_found_exception",
        "number_format_exception",
        "parse_exception",
        "parsing_exception",
        "search_parse_exception",
        "too_complex_to_determinize_exception",
        "x_content_e_o_f_exception",
        "x_content_parse_exception",
        *TOO_MUCH,
    )
)
# Beside success, what a node answers that is well; another status may be its own, so that others are asked first for a while.
WELL = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
)
CONNECTIONS = 32  # of one process to one node; a request beyond that waits for a free one


class Client:
    """One HTTP client for all nodes. It neither retries nor looks for other nodes: that is the runtime's and the operator's."""

    def __init__(self, hosts: Sequence[str], engine: Engine, user: str | None, password: str | None) -> None:
        self.engine = engine
        self.name = NAMES[engine]
        self._closed = False
        self._nodes = NodePool([_node(host, user, password) for host in hosts], node_class=Node)

    def send(self, method: str, path: str, body: Answer | None = None, expect: Collection[int] = ()) -> tuple[int, Answer]:
        """Status and answer; a status outside of 2xx and `expect` is raised as what it means."""
        return self._send(method, path, b"" if body is None else orjson.dumps(body), "application/json", expect)

    def send_lines(self, path: str, lines: bytes, expect: Collection[int] = ()) -> tuple[int, Answer]:
        """POST of newline-delimited JSON."""
        return self._send("POST", path, lines, "application/x-ndjson", expect)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            for node in self._nodes.all():
                node.close()

    def error(self, status: int, answer: Any) -> EngineError:
        """What a status means, without what was sent."""
        kind, reason = reason_of(answer)
        large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and kind  # an error without a type is not the engine's
        if large or (status == HTTPStatus.BAD_REQUEST and kind in MISTAKES) or kind in TOO_MUCH:
            refused = Unfit if kind in TOO_MUCH else Rejected
            return refused(f"{self.name} refuses the request: {status} {kind}{TOO_MUCH.get(kind, '')}")
        if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and kind != "cluster_block_exception"):
            return Unavailable(f"{self.name} does not let us in: {status} {kind}; check user, password and privileges")
        told = f": {reason[:200]}" if status in PLAIN and reason else ""
        return Unavailable(f"{self.name} answered {status} {kind}{told}")

    def nonsense(self, what: str) -> Unavailable:
        return Unavailable(f"What answers is not {self.name}, or something between us and it breaks its answers: {what}")

    def _send(self, method: str, path: str, body: bytes, mimetype: str, expect: Collection[int]) -> tuple[int, Answer]:
        if self._closed:
            raise Unavailable(f"The connection to {self.name} is closed")
        response = self._response(method, path, body, mimetype)
        status, told = response.status, response.body
        try:
            answer = orjson.loads(told) if told and response.is_json else None
        except orjson.JSONDecodeError as error:  # its text is the whole answer
            raise self.nonsense("not JSON") from error
        if not (succeeded(status) or status in expect):
            raise self.error(status, answer)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return status, {}  # mostly a proxy's, whose text says nothing
        if not isinstance(answer, dict):
            raise self.nonsense(f"{status} {type(answer).__name__}")
        return status, answer

    def _response(self, method: str, path: str, body: bytes, mimetype: str) -> Response:
        """Of a node that is well, as far as is known: one that failed is left alone for a while where there are others."""
        node = cast(Node, self._nodes.get())
        try:
            response = node.ask(method, path, body, mimetype)
        except FAILURES as error:
            self._nodes.mark_dead(node)
            raise Unavailable(f"{self.name} cannot be reached: {node.base_url}: {str(error) or type(error).__name__}") from error
        if succeeded(response.status) or response.status in WELL:
            self._nodes.mark_live(node)
        else:
            self._nodes.mark_dead(node)
        return response


def succeeded(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


def reason_of(answer: Any) -> tuple[str, str]:
    """Type and reason of an error, wherever the engine put them."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        roots = error.get("root_cause", [error])
        error = roots[0] if roots else error.get("caused_by", error)  # no shard failed, but what put their answers together
        return str(error.get("type", "")), str(error.get("reason", ""))
    return "", str(error or "")


def _node(host: str, user: str | None, password: str | None) -> NodeConfig:
    config = url_to_node_config(host, use_default_ports_for_scheme=True)
    headers = HttpHeaders({**config.headers, "accept": "application/json", "accept-encoding": "identity"})
    if user is not None:
        headers["authorization"] = basic_auth_to_header((user, password or ""))
    return replace(config, headers=headers, connections_per_node=CONNECTIONS, request_timeout=TIMEOUT_SECONDS)
