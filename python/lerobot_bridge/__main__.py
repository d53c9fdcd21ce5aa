"""`python -u -m lerobot_bridge`: requests on stdin, replies on what was stdout; nothing else can reach that pipe."""

import os
import sys

from worker_process.pipes import take_stdout


def main() -> None:
    """Serves, and ends at once."""
    replies = take_stdout()
    from .server import serve

    serve(sys.stdin.buffer, replies)
    # A device's teardown or a daemon thread must not decide how long the end takes.
    os._exit(0)


main()
