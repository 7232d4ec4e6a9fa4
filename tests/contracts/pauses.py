"""Pauses of Kafka's brokers under members of a group, and whether each group is level again behind them.

As a program, from the project's root, it runs a campaign and prints a table:

    PYTHONPATH=. .venv/bin/python tests/contracts/pauses.py --brokers 3 --rounds 10 --seconds 5,9,10,10.2,11,15,45
"""
# ruff: noqa: T201 - what a program tells

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from brokers import Brokers

from twofold.errors import EngineError, Unavailable
from twofold.log.kafka import KafkaLog
from twofold.log.port import Message

FEED_SECONDS = 0.2
RECORDS = 20  # that are published every time


class Group:
    """Members of one group, each in a thread with a log of its own, as a projector's process has it."""

    def __init__(self, servers: str, members: int, options: Mapping[str, str] = {}) -> None:
        self.topic, self.troubles = f"pauses-{uuid.uuid4()}", Counter[str]()
        self.wrong: set[str] = set()  # what would have ended a projector
        self._servers, self._options = servers, options
        self._stop, self._asker = Event(), KafkaLog(servers)
        self._asker.create(self.topic, members)
        self._threads = [Thread(target=self._read, daemon=True) for _ in range(members)]
        self._threads.append(Thread(target=self._feed, daemon=True))
        for thread in self._threads:
            thread.start()

    def level(self, seconds: float) -> float | None:
        """Until everything is read that the log holds when it answers again: the seconds, or None where it takes longer."""
        began, ends = time.monotonic(), dict[int, int]()
        while time.monotonic() - began < seconds:
            with suppress(EngineError):
                positions = self._asker.positions(self.topic, self.topic)
                if ends and all((each.committed or 0) >= ends[each.partition] for each in positions):
                    return time.monotonic() - began
                ends = ends or {each.partition: each.end for each in positions}
            time.sleep(0.2)
        return None

    def close(self) -> float:
        """The seconds that it took until every member had left."""
        self._stop.set()
        began = time.monotonic()
        for thread in self._threads:
            thread.join()
        took = time.monotonic() - began
        self._asker.close()
        return took

    def _read(self) -> None:
        log = KafkaLog(self._servers, options=self._options)
        member = log.subscribe(self.topic, self.topic)
        while not self._stop.is_set():
            try:
                if messages := member.poll(500, 0.5):
                    member.commit(messages)
            except EngineError as error:
                self.troubles[type(error).__name__ if "anew" not in str(error) else f"{type(error).__name__} anew"] += 1
                if not isinstance(error, Unavailable):
                    self.wrong.add(str(error))
                self._stop.wait(0.5)
        member.close()
        log.close()

    def _feed(self) -> None:
        log = KafkaLog(self._servers)
        while not self._stop.wait(FEED_SECONDS):
            with suppress(EngineError):
                log.publish(self.topic, [Message(f"{number}".encode(), b"{}") for number in range(RECORDS)])
        log.close()


def paused(brokers: Brokers, number: int, seconds: float) -> None:
    brokers.pause(number)
    time.sleep(seconds)
    brokers.resume(number)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seconds", default="5,9,10,10.2,11,15,45")
    parser.add_argument("--patience", type=float, default=60.0)
    given = parser.parse_args()
    logging.getLogger("twofold.kafka").addFilter(lambda record: "opened anew" in record.getMessage())
    with tempfile.TemporaryDirectory() as folder:
        brokers = Brokers(Path(folder), given.brokers)
        try:
            brokers.start()
            group = Group(brokers.servers, given.members)
            print("level at first:", group.level(60), flush=True)
            for seconds in map(float, given.seconds.split(",")):
                took = []
                for number in range(given.rounds):
                    time.sleep(1 + number * 0.37)
                    paused(brokers, number % given.brokers, seconds)
                    took.append(group.level(given.patience))
                    print(f"  {seconds} s: {took[-1]}", flush=True)
                level = sorted(each for each in took if each is not None)
                told = f"level {len(level)} of {len(took)}, longest {max(level, default=0):.1f} s"
                print(f"{seconds:>5} s  {told}", dict(group.troubles), flush=True)
            print(f"closed in {group.close():.1f} s; told wrongly: {sorted(group.wrong)}")
        finally:
            brokers.kill()


if __name__ == "__main__":
    main()
