"""What the process answers: hello, open, reset, step, close. Frames are those of the LIBERO worker."""

import importlib.metadata
import os
import platform
from typing import Any, BinaryIO, Dict, Optional

from libero_worker.frames import FRAMES
from worker_process.errors import WorkerError
from worker_process.loop import Arrays, Reply, serve as serve_requests

from .session import Session

PROTOCOL = 1
REPORTED = ("gymnasium", "gym-aloha", "dm-control", "mujoco", "numpy", "msgpack")


def versions() -> Dict[str, str]:
    """Installed versions by package; "missing" for what is not there."""
    found: Dict[str, str] = {}
    for name in REPORTED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


class Worker:
    """Answers requests one at a time, in the order they came."""

    def __init__(self) -> None:
        self._session: Optional[Session] = None

    def answer(self, request: Dict[str, Any], arrays: Arrays) -> Reply:
        """The reply to one request, without its id."""
        kind = request.get("kind")
        if kind == "hello":
            facts = {"protocol": PROTOCOL, "python": platform.python_version(), "versions": versions()}
            return {**facts, "pid": os.getpid()}, {}
        if kind == "open":
            if self._session is not None:
                raise WorkerError("usage", "Cannot open twice in one process: start another worker")
            self._session = Session(request)
            return {}, {}
        if kind == "close":
            if self._session is not None:
                self._session.close()
            return {}, {}
        if kind in ("reset", "step") and self._session is None:
            raise WorkerError("usage", f"Cannot {kind}: open first")
        if kind == "reset":
            return self._session.reset(request, arrays)
        if kind == "step":
            return self._session.step(request, arrays)
        raise WorkerError("usage", f"Cannot answer {kind!r}: known requests are hello, open, reset, step, close")


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers until close; the end of `requests` ends the process at once, whatever it works on."""
    serve_requests(FRAMES, Worker().answer, requests, replies)
