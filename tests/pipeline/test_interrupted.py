"""The work is stopped between every two steps, and goes on in a new process's place: the end state is always the same.

A stop is an exception out of the step, after which the part is thrown away and a new one takes over, as after a kill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uuid_utils

from tests.pipeline.steps import Pipeline


class Stopped(BaseException):
    """The process is gone."""


@contextmanager
def stopped_after(target: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The step is done, and then nothing more."""
    original = getattr(target, method)

    def once(*arguments: Any, **options: Any) -> Any:
        original(*arguments, **options)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(target, method, once)
        yield


@contextmanager
def stopped_before(target: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def never(*_: Any, **__: Any) -> Any:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(target, method, never)
        yield


def test_nothing_stops(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    assert pipeline.found() == pipeline.expected()


def test_stopped_after_the_commit(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client never hears of it, but what is committed goes all the way."""
    pipeline.ids = [str(uuid_utils.uuid7())]
    committed = pipeline.writer._committed
    pipeline.writer._committed = lambda: (committed(), _stop())[0]
    with pytest.raises(Stopped):
        pipeline.command("create", pipeline.ids[0], name="Ana", email="ana@example.com", note=None).result(10)
    pipeline.relay()
    pipeline.project()
    assert pipeline.found() == {pipeline.ids[0]: (1, None)}


@pytest.mark.parametrize("stop", [stopped_after, stopped_before], ids=["after", "before"])
@pytest.mark.parametrize(
    ("part", "target", "method"),
    [
        ("relay", "log", "publish"),
        ("relay", "outbox", "remove"),
        ("project", "index", "apply"),
    ],
)
def test_stopped_around_a_step(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., Any], part: str, target: str, method: str
) -> None:
    pipeline.write()
    if part == "project":
        pipeline.relay()
    with stop(getattr(pipeline.system, target), method, monkeypatch), pytest.raises(Stopped):
        getattr(pipeline, part)()
    pipeline.relay()
    pipeline.project()
    assert pipeline.found() == pipeline.expected()


@pytest.mark.parametrize("when", ["before", "after"])
def test_stopped_around_the_commit_of_offsets(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    pipeline.write()
    pipeline.relay()
    subscription = pipeline.system.log.subscribe(pipeline.resource.topic, pipeline.resource.group)
    stop = stopped_before if when == "before" else stopped_after
    with stop(type(subscription), "commit", monkeypatch), pytest.raises(Stopped):
        subscription.close()
        pipeline.project()
    pipeline.project()
    assert pipeline.found() == pipeline.expected()


def test_everything_is_delivered_twice(pipeline: Pipeline) -> None:
    """Old records come again, in order, behind new ones: nothing changes, nothing is resurrected."""
    pipeline.write()
    rows = pipeline.system.outbox.pending(100)
    pipeline.relay()
    pipeline.project()
    messages = [record.to_message() for _, _, record in rows]
    assert pipeline.system.log.publish(pipeline.resource.topic, messages) == [None] * len(messages)
    pipeline.project()
    assert pipeline.found() == pipeline.expected()


def _stop() -> None:
    raise Stopped

