"""What `runtime/protocol.py` and `runtime/server.py` build on that is uvicorn's own, by name.

`make check` and these say at once what another version of uvicorn has no more. That the rest still does what it did, test_protocol.py says.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from twofold.runtime.protocol import Protocol
from twofold.runtime.server import Server

REPLACED = {  # methods that uvicorn, the event loop or the parser call, and their parameters
    "connection_made": "transport",
    "connection_lost": "exc",
    "data_received": "data",
    "on_message_begin": "",
    "on_url": "url",
    "on_header": "name value",
    "on_headers_complete": "",
    "on_body": "body",
    "on_message_complete": "",
    "on_response_complete": "",
    "_start_asgi_task": "cycle app",
}
CALLED = {"_unset_keepalive_if_required": ""}
OF_SERVER = {"on_tick": "counter", "shutdown": "sockets", "capture_signals": "", "serve": "sockets"}
OF_PROTOCOL = "app connections cycle expect_100_continue flow headers loop parser pipeline scope server_state transport url"
OF_CYCLE = "disconnected keep_alive message_event more_body response_complete response_started"
OF_FLOW = "read_paused write_paused resume_reading"
OF_STATE = "connections default_headers tasks"
OF_RUNNING = "server_state should_exit started"


def parameters(method: Callable[..., Any]) -> str:
    return " ".join(name for name in inspect.signature(method).parameters if name != "self")


@pytest.mark.parametrize(("name", "given"), (REPLACED | CALLED).items())
def test_a_method_of_the_protocol(name: str, given: str) -> None:
    assert parameters(getattr(HttpToolsProtocol, name)) == given


def test_what_is_replaced_is_named_here() -> None:
    """And nothing of another name in ours takes the place of a method of uvicorn's."""
    assert {name for name in vars(Protocol) if hasattr(HttpToolsProtocol, name) and not name.startswith("__")} == REPLACED.keys()


@pytest.mark.parametrize(("name", "given"), OF_SERVER.items())
def test_a_method_of_the_server(name: str, given: str) -> None:
    assert parameters(getattr(uvicorn.Server, name)) == given


def test_what_is_replaced_of_the_server_is_named_here() -> None:
    replaced = {name for name in vars(Server) if hasattr(uvicorn.Server, name) and not name.startswith("__")}
    assert replaced == OF_SERVER.keys() - {"serve"}


async def _made() -> dict[str, object]:
    """One of each, as uvicorn makes them."""
    transport: Any = asyncio.Transport()
    flow, state = FlowControl(transport), ServerState()
    protocol = HttpToolsProtocol(uvicorn.Config(lambda: None, lifespan="off", log_config=None), state, {})
    protocol.on_message_begin()
    assert protocol.connections is state.connections
    assert protocol.tasks is state.tasks
    log, given = logging.getLogger(), {"access_log": False, "default_headers": [], "expect_100_continue": False, "keep_alive": True}
    scope: Any = {}
    events = {"message_event": asyncio.Event(), "on_response": lambda: None}
    cycle = RequestResponseCycle(scope=scope, transport=transport, flow=flow, logger=log, access_logger=log, **given, **events)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(lambda: None))
    return {OF_PROTOCOL: protocol, OF_CYCLE: cycle, OF_FLOW: flow, OF_STATE: state, OF_RUNNING: server}


def test_what_they_have() -> None:
    for names, owner in asyncio.run(_made()).items():
        assert [name for name in names.split() if not hasattr(owner, name)] == [], type(owner)


def test_the_head_of_an_answer_begins_with_a_line_of_these() -> None:
    assert STATUS_LINE[503] == b"HTTP/1.1 503 Service Unavailable\r\n"
