"""Starting engines and waiting until they answer, stopping them, telling their state."""

import shutil
import time

from . import probe
from .engine import Engine
from .install import tail
from .settings import EngineError, say

READY_SECONDS = 120


def state(engine: Engine) -> str:
    """Return one word or two for what the engine is doing."""
    if engine.process.pid is not None:
        return _own_state(engine)
    if engine.answers():
        return "foreign"
    return "port taken" if probe.listens(engine.port) else "stopped"


def _own_state(engine: Engine) -> str:
    if engine.process.paused:
        return "paused"
    return "running" if engine.ready() else "starting"


def start(engine: Engine) -> None:
    """Install what is missing and start the process, unless the engine is there already."""
    if engine.process.pid is not None:
        resume(engine)
    elif engine.answers():
        say(engine.name, f"port {engine.port} answers but was not started from here; using it")
    else:
        _refuse_taken_ports(engine)
        engine.install()
        engine.prepare()
        engine.process.spawn(engine.command())


def wait(engine: Engine) -> None:
    """Return when the engine is ready; fail when it ends or takes too long."""
    began = time.monotonic()
    while not engine.ready():
        if time.monotonic() - began > READY_SECONDS:
            raise EngineError(f"not ready after {READY_SECONDS} s; {tail(engine.process.log)}")
        if engine.process.pid is None and not engine.answers():
            raise EngineError(f"ended while starting; {tail(engine.process.log)}")
        time.sleep(0.1)
    say(engine.name, f"ready on port {engine.port} after {time.monotonic() - began:.1f} s")


def stop(engine: Engine) -> None:
    """End the process in good order; an engine from elsewhere is left alone."""
    if engine.process.pid is None:
        foreign = "; what answers was not started from here" if engine.answers() else ""
        say(engine.name, f"not running{foreign}")
        return
    began = time.monotonic()
    engine.process.stop()
    say(engine.name, f"stopped after {time.monotonic() - began:.1f} s")


def kill(engine: Engine) -> None:
    """End the process at once."""
    _require_process(engine)
    engine.process.kill()
    say(engine.name, "killed")


def pause(engine: Engine) -> None:
    """Freeze the process; its port stays open and silent."""
    _require_process(engine)
    engine.process.pause()
    say(engine.name, "paused")


def resume(engine: Engine) -> None:
    """Let a paused process go on."""
    _require_process(engine)
    if engine.process.paused:
        engine.process.resume()
        say(engine.name, "resumed")


def reset(engine: Engine) -> None:
    """Stop the engine and delete its data; the program stays installed."""
    stop(engine)
    shutil.rmtree(engine.data, ignore_errors=True)
    say(engine.name, "data deleted")


def _require_process(engine: Engine) -> None:
    if engine.process.pid is None:
        raise EngineError(f"not running from {engine.home}")


def _refuse_taken_ports(engine: Engine) -> None:
    for variable, port in engine.ports.items():
        if probe.listens(port):
            raise EngineError(f"another program holds port {port}; set {variable} to a free one")
