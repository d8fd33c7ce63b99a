"""Becomes another program that ends when its parent does: python -m helpdesk.launch PARENT_PID PROGRAM [ARGUMENTS]

A parent killed with SIGKILL cannot bring its children down, and a bot left behind would keep Telegram's updates from
the next one. So on Linux the kernel is asked to send SIGTERM then (prctl(2), PR_SET_PDEATHSIG, kept over exec).
Elsewhere there is no such request, and only an orderly end brings the children down.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # It ended before the request was made.
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
