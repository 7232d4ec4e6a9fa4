"""One run of wrk, the load generator: its script, its command line, its answer.

Requests are *templates*, made before the run: the script only puts sixteen digits that occur once into each, where MARK stands.
A paced run sends the n-th request n / rate seconds after its first; a generator that is late catches up. The percentiles are wrk's own,
which puts in the requests that a slow answer kept from being sent.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from twofold.errors import EngineError, SettingsError

MARK = "7700000000000077"  # digits, so that it may stand in a JSON string and as a number
HOST = "127.0.0.1"
GRACE_SECONDS = 60
_SCRIPT = """
local ffi = require("ffi")
ffi.cdef[[
  typedef struct { long seconds; long nanos; } twofold_time;
  int clock_gettime(int clock, twofold_time *time);
  int getpid(void);
  int kill(int process, int signal);
]]
local time = ffi.new("twofold_time")
local function now() ffi.C.clock_gettime(1, time); return tonumber(time.seconds) + tonumber(time.nanos) / 1e9 end

local threads = {}
function setup(thread) thread:set("number", #threads); table.insert(threads, thread) end

local templates, sent, paced, start = {}, 0, 0, nil
answered, statuses = 0, {}

function init(arguments)
  local file = assert(io.open(TEMPLATES, "rb"))
  for text in file:read("*a"):gmatch("%Z+") do
    local pieces, from = {}, 1
    while true do
      local first, last = text:find(MARK, from, true)
      table.insert(pieces, text:sub(from, (first or 0) - 1))
      if not first then break end
      from = last + 1
    end
    table.insert(templates, pieces)
  end
  file:close()
end

function request()
  local pieces = templates[sent % #templates + 1]
  sent = sent + 1
  if #pieces == 1 then return pieces[1] end
  return table.concat(pieces, SALT .. string.format("%08d", number * 10000000 + sent))
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
  answered = answered + 1
  if answered == COUNT then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2) -- else the main thread sleeps to the end of the run
  end
end

if RATE > 0 then
  function delay()
    start = start or now()
    paced = paced + 1
    return math.max(0, (start + paced / RATE - now()) * 1000)
  end
end

function done(summary, latency)
  local found = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do found[status] = (found[status] or 0) + count end
  end
  local texts = {}
  for status, count in pairs(found) do table.insert(texts, string.format('"%d": %d', status, count)) end
  io.write(string.format(
    '\\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "max": %d, "statuses": {%s},'
      .. ' "errors": {"connect": %d, "read": %d, "write": %d, "timeout": %d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, table.concat(texts, ", "),
    summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run did. Times are milliseconds; `failures` counts connections' errors by kind and statuses from 400 on."""

    requests: int
    seconds: float
    p50: float
    p99: float
    longest: float
    statuses: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Requests that were answered with success."""
        return sum(count for status, count in self.statuses.items() if status < 400)

    @property
    def rate(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def failures(self) -> dict[str, int]:
        refused = {str(status): count for status, count in sorted(self.statuses.items()) if status >= 400}
        return refused | {kind: count for kind, count in self.errors.items() if count}


def template(method: str, path: str, body: Any = None, content_type: str = "application/json") -> bytes:
    """A request as it goes over the wire; `body` is JSON, or bytes that are sent as they are."""
    encoded = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n"
    if body is not None:
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(encoded)}\r\n"
    return f"{head}\r\n".encode() + encoded


def script(templates: Path, salt: int, *, rate: float = 0, count: int = 0) -> str:
    """The run's Lua. `salt` makes its values its own; `count` is after how many answers it stops; 0 for no rate, and for no count."""
    values = {"TEMPLATES": str(templates), "MARK": MARK, "SALT": f"{salt:08d}", "RATE": rate, "COUNT": count}
    return "\n".join([f"{name} = {json.dumps(value)}" for name, value in values.items()]) + _SCRIPT


def parse(output: str) -> Load:
    """The run's own line, behind what wrk tells people."""
    found = orjson.loads(output.strip().splitlines()[-1])
    statuses = {int(status): count for status, count in found["statuses"].items()}
    return Load(
        found["requests"],
        found["microseconds"] / 1e6,
        found["p50"] / 1000,
        found["p99"] / 1000,
        found["max"] / 1000,
        statuses,
        found["errors"],
    )


def program() -> str:
    """Where wrk is. Raises SettingsError where it is not."""
    found = shutil.which("wrk")
    if found is None:
        raise SettingsError("The load generator wrk is not on the path. Most systems have a package of that name: apt install wrk")
    return found


def run(
    port: int, templates: Sequence[bytes], *, connections: int, seconds: int, rate: float = 0, count: int = 0, host: str = HOST
) -> Load:
    """Sends requests to a port, of this machine unless told otherwise, for so many seconds, or until `count` are answered.

    One thread of wrk makes 40,000 requests a second. Raises EngineError where it fails, or does not end.
    """
    with tempfile.TemporaryDirectory(prefix="twofold-wrk-") as name:
        requests, lua = Path(name, "templates"), Path(name, "script.lua")
        requests.write_bytes(b"\0".join(templates))
        salt = random.randrange(10_000_000, 90_000_000)  # noqa: S311 - values that are new, not secret
        lua.write_text(script(requests, salt, rate=rate, count=count))
        command = [program(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(lua), f"http://{host}:{port}"]
        return parse(_output(command, seconds + GRACE_SECONDS))


def _output(command: Sequence[str], longest: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=longest)  # noqa: S603 - wrk, found above
    except subprocess.TimeoutExpired:
        raise EngineError(f"wrk did not end within {longest:.0f} s") from None
    if done.returncode:
        raise EngineError(f"wrk failed: {' '.join((done.stderr or done.stdout).split())[-500:]}")
    return done.stdout
