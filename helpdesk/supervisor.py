"""Keeps a set of processes running and brings them down together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from helpdesk import logs

Say = Callable[[str], None]

#: Seconds before a process that ended is started again: the first delay, doubled each time up to the last.
FIRST_DELAY = 1.0
LAST_DELAY = 30.0
#: Seconds of running after which an end counts as the first again.
STEADY_AFTER = 60.0
#: Seconds between two looks at the processes.
TICK = 0.1
#: Seconds from SIGTERM to SIGKILL: for the processes, and then for the servers they talk to. Together under 5.
GRACE = 3.0
SERVER_GRACE = 0.5


class Child:
    """One process, started again whenever it ends."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], say: Say) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.say = say
        self.delay = FIRST_DELAY
        self.started_at = 0.0
        self.start_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self.reader: threading.Thread | None = None

    def tend(self) -> None:
        """Starts the process when its time has come and notices when it has ended."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        # What it left behind (gunicorn's workers) would keep its port.
        self.signal(signal.SIGKILL)
        if now - self.started_at >= STEADY_AFTER:
            self.delay = FIRST_DELAY
        self.say(f"{self.name} ended with code {code}; starting it again in {self.delay:.0f} s")
        self.start_at = now + self.delay
        self.delay = min(self.delay * 2, LAST_DELAY)
        self.process = None

    def start(self) -> None:
        # Must run on the main thread: the kernel takes a parent to have ended when the thread that forked ends.
        self.process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "helpdesk.launch", str(os.getpid()), *self.command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own, so that Ctrl+C reaches only the supervisor, which ends the rest in order.
            process_group=0,
        )
        self.started_at = time.monotonic()
        self.reader = threading.Thread(target=self._pass_on_output, args=(self.process,), daemon=True)
        self.reader.start()

    def signal(self, number: signal.Signals) -> None:
        """Sends the signal to the process and to those it started."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _pass_on_output(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            # Tracebacks written past the log are scrubbed here.
            self.say(f"{self.name:8}| {logs.scrub(line.decode(errors='replace').rstrip())}")


class Supervisor:
    """Runs `children` until a signal asks to end, then ends them, and after them the `servers` they talk to."""

    def __init__(self, children: Sequence[Child], servers: Sequence[Child] = ()) -> None:
        self.children = children
        self.servers = servers
        self.stopping = False

    def run(self, each_tick: Callable[[], None]) -> None:
        """Returns when all have ended, within 5 s of SIGINT, SIGTERM or SIGHUP."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        while not self.stopping:
            for child in (*self.servers, *self.children):
                child.tend()
            each_tick()
            time.sleep(TICK)
        end(self.children, GRACE)
        end(self.servers, SERVER_GRACE)

    def _stop(self, *signal_and_frame: object) -> None:
        self.stopping = True


def end(children: Sequence[Child], grace: float) -> None:
    """Asks the processes to end and, after `grace` seconds, does not ask."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    running = [child.process for child in children if child.process is not None]
    while time.monotonic() < deadline and any(process.poll() is None for process in running):
        time.sleep(TICK)
    for child in children:
        child.signal(signal.SIGKILL)
    for process in running:
        process.wait()
    for child in children:
        if child.reader is not None:
            child.reader.join(timeout=TICK)
