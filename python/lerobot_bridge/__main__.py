"""`python -u -m lerobot_bridge`: requests on stdin, replies on what was stdout; nothing else can reach that pipe."""

import os
import signal
import sys


def main() -> None:
    """Takes descriptor 1 away from everybody else, then serves."""
    # Ctrl-C reaches the whole process group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    from .server import serve

    serve(sys.stdin.buffer, replies)
    # A device's teardown or a daemon thread must not decide how long the end takes.
    os._exit(0)


main()
