"""A shell in which a document's commands are run one after the other, and the comparison of what they print.

The document's addresses and names stand for those of the test: they are replaced in commands, and back in what is printed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.docs.blocks import ROOT, Step

SECONDS = 20
SERVING = re.compile(
    r"(make run|twofold (up|command|relay|project|query)|twofold verify .*--watch|python (own_site|roles)\.py)\b(?!.*--help)"
)
KAFKA_TOOLS = {
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
}
READING = re.compile(r"(curl (?!.*(-X|-d) )|twofold status)")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHANGING = (
    (re.compile(r"^date: .*$", re.MULTILINE), "date: <date>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r'"(\d+)\.[0-9a-f]{8}"'), r'"\1.<digest>"'),
    (re.compile(r'(next_cursor": ?"|cursor=)[\w-]+'), r"\1<cursor>"),
    (re.compile(r'(took_ms": ?)\d+'), r"\1<milliseconds>"),
    (re.compile(r'(_score": ?)[\d.e-]+'), r"\1<score>"),
    (re.compile(r"(SQLite|MySQL|Elasticsearch|OpenSearch) \d[\w.+-]*"), r"\1 <version>"),
    (re.compile(r'"waited_ms":\d+'), '"waited_ms":<milliseconds>'),
    (re.compile(r"dlq_partition:\d"), "dlq_partition:<number>"),
    (re.compile(r'"partition": "\d"'), '"partition": "<number>"'),
    (re.compile(r"status (green|yellow)"), "status <fine>"),
    (re.compile(r"cluster id [\w-]+"), "cluster id <id>"),
    (re.compile(r"[\d.]+ s, \d+ (lines|ids)/s"), r"<seconds> s, <rate> \1/s"),
    (re.compile(r"of the log, [\d.]+ s\."), "of the log, <seconds> s."),
    (re.compile(r"[\d.]+ s, [\d,]+ ids/s"), "<seconds> s, <rate> ids/s"),
    (re.compile(r"[\d.]+ MB|\"size\": \d+"), "<size>"),
    (re.compile(r"receipts \d+, units \d+"), "receipts <count>, units <count>"),
    (re.compile(r"(oldest.seconds\"?:?) [\d.]+"), r"\1 <seconds>"),
    (re.compile(r"\b\d+ passed.* in [\d.]+s"), "<count> passed in <seconds>s"),
    (re.compile(r"(\d+) of \1 created in [\d.]+ s: \d+ a second"), "<all> created in <seconds> s: <rate> a second"),
    (re.compile(r"found after \d+ ms in the middle, \d+ ms"), "found after <time> in the middle, <time>"),
    (re.compile(r"\d+ loops?, best of \d+: [\d.]+ msec"), "<count> loops, best of <count>: <milliseconds> msec"),
)


def kafka_jars() -> Path | None:
    """Those that `make engines` fetched."""
    folder = Path(os.environ.get("TWOFOLD_ENGINES_DIR", ROOT / ".engines"))
    return next(folder.glob("kafka/program-*/lib"), None)


class Shell:
    """`names` maps what stands in a document to what stands for it here."""

    def __init__(self, folder: Path, environment: Mapping[str, str], names: Mapping[str, str]) -> None:
        self.folder, self._names = folder, {**names, ".venv/bin/python ": f"cd {ROOT} && {sys.executable} "}
        self._known: dict[str, str] = {}  # id in the document -> id here
        self._served: list[subprocess.Popen[bytes]] = []
        self._exported: dict[str, str] = {}
        self._environment = {**os.environ, "HOME": str(folder), "COLUMNS": "120", **environment}
        for variable in [each for each in self._environment if each.startswith("TWOFOLD_") and each not in environment]:
            del self._environment[variable]
        self._environment["PATH"] = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), self._environment["PATH"]])
        self._provide()

    def run(self, step: Step) -> None:
        """Runs the command until it prints what stands there; a command that changes something only once."""
        until = time.monotonic() + SECONDS
        while True:
            printed = self._printed(step)
            different = self._difference(step.expected, printed)
            if different is None:
                return
            if time.monotonic() > until or not READING.match(step.command):
                raise AssertionError(f"{step}\n{different}\n--- printed:\n{printed}")
            time.sleep(0.1)

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(self._here(text) + "\n")

    def stop(self) -> None:
        """Ctrl-C to everything that serves."""
        for process in self._served:
            os.killpg(process.pid, signal.SIGINT)
        codes = [process.wait(15) for process in self._served]
        self._served.clear()
        assert set(codes) <= {0, -signal.SIGINT}, codes  # make ends as it was told to

    def close(self) -> None:
        for process in self._served:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _provide(self) -> None:
        """What the commands of the documents find on the path, or in the current folder."""
        tools = self.folder / "bin"
        tools.mkdir()
        (self.folder / ".curlrc").write_text("silent\nshow-error\n")
        make = f'TWOFOLD_DATA="$HOME/data" PATH="${{PATH#*:}}" exec make --no-print-directory -C {ROOT} "$@"'
        (tools / "make").write_text(f"#!/bin/sh\n{make}\n")
        for tool, program in KAFKA_TOOLS.items():
            (tools / tool).write_text(f'#!/bin/sh\nexec java -cp "{kafka_jars()}/*" {program} "$@" 2>/dev/null\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)

    def _printed(self, step: Step) -> str:
        command = self._here(step.command)
        if match := re.fullmatch(r"export (\w+)=(\S+)", command):
            self._environment[match[1]] = match[2]
            return ""
        match = re.fullmatch(r"cat (\S+)", command)
        if match and (match[1].endswith(".py") or not (self.folder / match[1]).exists()):  # a file that the reader makes, or changes
            self.write(match[1], step.expected)
        if SERVING.match(command):
            return self._there(self._serve(command, step.expected.count("\n") + 1))
        done = subprocess.run(
            ["bash", "-c", command], env=self._environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        return self._there(done.stdout or done.stderr)

    def _serve(self, command: str, lines: int) -> str:
        """What a process that stays prints when it is ready: that many lines on standard output."""
        printed = self.folder / f"{uuid.uuid4()}.out"
        with printed.open("wb") as out, printed.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], env=self._environment, cwd=self.folder, stdout=out, stderr=err, start_new_session=True
            )
        self._served.append(process)
        until = time.monotonic() + SECONDS
        while printed.read_text().count("\n") < lines:
            said = printed.with_suffix(".err").read_text()[-2000:]
            assert process.poll() is None, f"{command} ended: {said}"
            assert time.monotonic() < until, f"{command} is not ready: {said}"
            time.sleep(0.02)
        return printed.read_text()

    def _here(self, text: str) -> str:
        for there, here in [*self._names.items(), *self._known.items()]:
            text = text.replace(there, here)
        return text

    def _there(self, text: str) -> str:
        text = text.replace("\r", "").strip()
        for there, here in self._names.items():
            text = text.replace(here, there)
        return text

    def _difference(self, expected: str, printed: str) -> str | None:
        """None where both say the same: ids may differ, but one id stands for one id throughout the document."""
        wanted, found = _lines(expected), _lines(printed)
        if not _agree(wanted, found):
            return "\n".join(["--- expected:", *wanted, "--- found:", *found])
        if "..." in wanted:
            return None
        for there, here in zip(_UUID.findall(expected), _UUID.findall(printed), strict=True):
            if self._known.setdefault(there, here) != here:
                return f"--- {there} was {self._known[there]} and is now {here}"
        return None


def _lines(text: str) -> list[str]:
    text = _UUID.sub("<id>", text)
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def _agree(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Line by line; a line of three dots stands for any number of lines."""
    if "..." not in wanted:
        return list(wanted) == list(found)
    head = wanted.index("...")
    rest = list(wanted[head + 1 :])
    if list(wanted[:head]) != list(found[:head]):
        return False
    return any(_agree(rest, found[place:]) for place in range(head, len(found) + 1))
