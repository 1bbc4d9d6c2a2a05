"""A reader's terminal: one bash that keeps its folder, its variables and its background jobs."""

import os
import re
import signal
import socket
import subprocess
import time
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

from tests.conftest import free_port

DONE = "what-was-typed-is-done"
PATIENCE = 60  # seconds for a service to listen
# What bash says of a job, sooner or later: `[1]+  Terminated   python -m serving`.
JOB = re.compile(r"^\[\d+\][+-]? .*\n", re.MULTILINE)
FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE


class Terminal:
    """Types what a console block shows after `$ `, and compares what comes with what it shows.

    The ports that the guide names may be taken on this machine: others stand in for them.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.ports = {port: str(free_port()) for port in ("8000", "5000")}
        ports = {
            "SERVING_PORT": self.ports["8000"],
            "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{self.ports['8000']}",
            "FLASK_RUN_PORT": self.ports["5000"],
            "MLFLOW_PORT": self.ports["5000"],
        }
        self._bash = subprocess.Popen(
            ["bash", "-s"],
            cwd=folder,
            env={**environment, **ports},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.type("set -m 2>/dev/null")  # jobs as in a terminal: `kill %1`

    def close(self) -> None:
        """End the terminal with all that was started in it, each job being a group of its own."""
        self.type("for job in $(jobs -p); do kill -KILL -- -$job; done")
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        self._bash.stdout.close()
        self._bash.stdin.close()

    def check(self, block: str) -> str | None:
        """Type a block's commands; say what came where it is not what the block shows."""
        for command, expected in commands(block):
            came = self.type(command)
            if not OutputChecker().check_output(expected, came, FLAGS):
                return f"$ {command}\nshould give\n{expected}\nand gave\n{came}"
        return None

    def type(self, command: str) -> str:
        """Type a command and give what it printed, with the guide's own ports."""
        for shown, real in self.ports.items():
            command = command.replace(f":{shown}", f":{real}")
        before_it = self._listening()
        if command.startswith("kill"):
            command += "; wait"
        self._bash.stdin.write(f"{command}\necho {DONE}\n")
        self._bash.stdin.flush()
        came = ""
        for line in self._bash.stdout:
            before, done, _ = line.partition(DONE)
            came += before
            if done:
                break
        if command.rstrip().endswith("&"):
            self._wait_for_another(before_it)
        for shown, real in self.ports.items():
            came = came.replace(f":{real}", f":{shown}")
        return JOB.sub("", came)

    def _listening(self) -> set[str]:
        return {port for port in self.ports.values() if answers(port)}

    def _wait_for_another(self, before: set[str]) -> None:
        until = time.monotonic() + PATIENCE
        while self._listening() <= before and time.monotonic() < until:
            time.sleep(0.1)


def answers(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def commands(block: str) -> list[tuple[str, str]]:
    """Take a console block apart: each command, with its further lines, and what it prints."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        ends = next(i for i, line in enumerate(lines) if not is_continued(lines[: i + 1]))
        typed = "".join(lines[: ends + 1]).rstrip("\n")
        found.append((re.sub(r"^> ", "", typed, flags=re.MULTILINE), "".join(lines[ends + 1 :])))
    return found


def is_continued(lines: list[str]) -> bool:
    """Say whether a command goes on: after a backslash, or within quotes."""
    text = "".join(lines)
    return text.endswith("\\\n") or text.count("'") % 2 == 1
