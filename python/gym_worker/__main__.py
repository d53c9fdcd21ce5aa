"""`python -u -m gym_worker`: requests on stdin, replies on what was stdout; nothing else can reach that pipe."""

import os
import sys

from worker_process.pipes import take_stdout


def main() -> None:
    """Serves, and ends at once."""
    replies = take_stdout()
    from .worker import serve

    serve(sys.stdin.buffer, replies)
    # A GL context or a daemon thread must not decide how long the end takes.
    os._exit(0)


main()
