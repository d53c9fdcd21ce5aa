"""The two pipes: requests on stdin, replies on what was stdout."""

import os
import signal
import sys
import threading
from typing import BinaryIO, List, Optional


class PipeError(Exception):
    """The bytes read are no message."""


def take_stdout() -> BinaryIO:
    """Takes descriptor 1 away from everybody else and returns it for replies: no print of a library can reach that pipe."""
    # Ctrl-C reaches the whole process group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def read_exactly(stream: BinaryIO, size: int) -> Optional[bytes]:
    """Reads `size` bytes; None when the stream ends before the first of them. Raises PipeError."""
    parts: List[bytes] = []
    missing = size
    while missing > 0:
        part = stream.read(missing)
        if not part:
            if missing == size:
                return None
            raise PipeError(f"the stream ended {missing} bytes before the end of a message")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


class Writer:
    """Writes whole messages; safe to use from several threads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, message: bytes) -> None:
        """Sends one message."""
        with self._lock:
            self._stream.write(message)
            self._stream.flush()
