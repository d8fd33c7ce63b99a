"""The processes come up, come back and go down together. Real processes, small ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.slow

#: Starts children that write their process id to a file and then do what the test wants of them.
SUPERVISOR = """
import os, sys
from helpdesk.supervisor import Child, Supervisor
child = "import os, signal, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\\\n'); " + sys.argv[1]
children = [Child(name, [sys.executable, "-c", child, name], os.environ, print) for name in sys.argv[2:]]
Supervisor(children).run(each_tick=lambda: None)
print("all ended")
"""
SLEEP = "time.sleep(600)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
START_A_CHILD = (
    "import subprocess; c = subprocess.Popen(['sleep', '600']); "
    "open(sys.argv[1] + '-child', 'a').write(f'{c.pid}\\n'); "
)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def run(behaviour: str, *names: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", SUPERVISOR, behaviour, *names],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(settings.BASE_DIR)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
    for file in tmp_path.iterdir():
        for pid in pids(file):
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_within_five_seconds(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    supervisor = start(SLEEP, "web", "bot")
    assert eventually(lambda: bool(pids(tmp_path / "web")) and bool(pids(tmp_path / "bot")))

    supervisor.send_signal(number)
    output, _ = supervisor.communicate(timeout=5)

    assert supervisor.returncode == 0
    assert "all ended" in output
    assert not any(is_running(pid) for name in ("web", "bot") for pid in pids(tmp_path / name))


def test_one_that_does_not_listen_is_killed_within_five_seconds_with_what_it_started(
    start: Start, tmp_path: Path
) -> None:
    supervisor = start(START_A_CHILD + DEAF, "web")
    assert eventually(lambda: bool(pids(tmp_path / "web-child")))

    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=5)

    assert not is_running(pids(tmp_path / "web")[0])
    assert eventually(lambda: not is_running(pids(tmp_path / "web-child")[0]), seconds=1)


def test_one_that_is_killed_is_started_again_and_the_others_stay(start: Start, tmp_path: Path) -> None:
    start(SLEEP, "web", "bot")
    assert eventually(lambda: bool(pids(tmp_path / "web")) and bool(pids(tmp_path / "bot")))

    os.kill(pids(tmp_path / "bot")[0], signal.SIGKILL)

    assert eventually(lambda: len(pids(tmp_path / "bot")) == 2)
    assert len(pids(tmp_path / "web")) == 1


def test_one_that_cannot_start_is_tried_less_and_less_often(start: Start, tmp_path: Path) -> None:
    supervisor = start("sys.exit(3)", "bot")
    assert eventually(lambda: len(pids(tmp_path / "bot")) == 3)

    supervisor.send_signal(signal.SIGTERM)
    output, _ = supervisor.communicate(timeout=5)

    assert "bot ended with code 3; starting it again in 1 s" in output
    assert "bot ended with code 3; starting it again in 2 s" in output


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel tells children that their parent ended")
def test_a_killed_supervisor_leaves_nobody_behind(start: Start, tmp_path: Path) -> None:
    supervisor = start(SLEEP, "web", "bot")
    assert eventually(lambda: bool(pids(tmp_path / "web")) and bool(pids(tmp_path / "bot")))

    supervisor.kill()

    assert eventually(lambda: not any(is_running(pid) for name in ("web", "bot") for pid in pids(tmp_path / name)))


def test_output_carries_the_name_and_no_token(start: Start, tmp_path: Path) -> None:
    supervisor = start("print('token 7012345678:AAHcanaryCANARYcanaryCANARYcanary123', flush=True); " + SLEEP, "bot")
    assert supervisor.stdout is not None

    assert supervisor.stdout.readline() == "bot     | token <bot token>\n"
