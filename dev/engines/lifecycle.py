"""Starting engines and waiting until they answer, stopping them, telling their state."""

import shutil
import time
from pathlib import Path

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
    if _other_ports(engine) is not None:
        return "other port"
    return "running" if engine.ready() else "starting"


def prepare(engine: Engine) -> None:
    """Install what is missing and write the configuration, unless the engine is there already."""
    if engine.process.pid is None and not engine.answers():
        _refuse_taken_ports(engine)
        engine.install()
        engine.prepare()


def start(engine: Engine) -> None:
    """Start the process, unless the engine is there already."""
    if engine.process.pid is not None:
        _refuse_other_ports(engine)
        resume(engine)
    elif engine.answers():
        say(engine.name, f"port {engine.port} answers but was not started from here; using it")
    else:
        _ports_file(engine).write_text(_ports(engine))
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
    say(engine.name, f"ready on port {engine.port}{_age(engine)}")


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


def refuse_foreign(engine: Engine) -> None:
    """Fail when the engine that answers was not started from here."""
    if engine.process.pid is None and engine.answers():
        raise EngineError(f"port {engine.port} answers but was not started from here")


def reset(engine: Engine) -> None:
    """Stop the engine and delete its data; the program stays installed."""
    stop(engine)
    shutil.rmtree(engine.data, ignore_errors=True)
    say(engine.name, "data deleted")


def _age(engine: Engine) -> str:
    seconds = engine.process.seconds
    return "" if seconds is None else f", {seconds:.1f} s after its start"


def _require_process(engine: Engine) -> None:
    if engine.process.pid is None:
        raise EngineError(f"not running from {engine.home}")


def _ports(engine: Engine) -> str:
    return ", ".join(f"{variable}={port}" for variable, port in engine.ports.items())


def _ports_file(engine: Engine) -> Path:
    return engine.home / "ports"


def _other_ports(engine: Engine) -> str | None:
    """Return the ports of the process, when they are not those that are set now."""
    file = _ports_file(engine)
    used = file.read_text() if file.exists() else _ports(engine)
    return None if used == _ports(engine) else used


def _refuse_other_ports(engine: Engine) -> None:
    used = _other_ports(engine)
    if used is not None:
        raise EngineError(f"already running with {used}; set the same or stop it first")


def _refuse_taken_ports(engine: Engine) -> None:
    for variable, port in engine.ports.items():
        if probe.listens(port):
            raise EngineError(f"another program holds port {port}; set {variable} to a free one")
