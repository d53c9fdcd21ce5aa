"""What the process answers: hello, open, reset, step, close."""

import os
import platform
from typing import Any, BinaryIO, Dict, Optional

from worker_process.errors import WorkerError
from worker_process.loop import Arrays, Reply, serve as serve_requests

from .assets import find_files, task_files
from .frames import FRAMES
from .requests import read_open
from .simulator import import_simulator, versions

PROTOCOL = 1


class Worker:
    """Answers requests one at a time, in the order they came."""

    def __init__(self) -> None:
        self._session: Optional[Any] = None

    def answer(self, request: Dict[str, Any], arrays: Arrays) -> Reply:
        """The reply to one request, without its id."""
        kind = request.get("kind")
        if kind == "hello":
            return {
                "protocol": PROTOCOL,
                "python": platform.python_version(),
                "versions": versions(),
                "pid": os.getpid(),
            }, {}
        if kind == "open":
            return self._open(request), {}
        if kind == "close":
            if self._session is not None:
                self._session.close()
            return {}, {}
        if kind in ("reset", "step") and self._session is None:
            raise WorkerError("usage", f"Cannot {kind}: open a suite first")
        if kind == "reset":
            return self._session.reset(request, arrays)
        if kind == "step":
            return self._session.step(request, arrays)
        raise WorkerError("usage", f"Cannot answer {kind!r}: known requests are hello, open, reset, step, close")

    def _open(self, request: Dict[str, Any]) -> Dict[str, Any]:
        if self._session is not None:
            raise WorkerError("usage", "Cannot open a second suite in one process: start another worker")
        opened = read_open(request)
        files = find_files(opened.root)
        bddl_files = task_files(files, opened.suite)
        renderer = import_simulator(files, cameras=len(opened.cameras) > 0)
        # This module imports MuJoCo, whose first import settles the renderer.
        from .session import Session

        self._session = Session(opened, files, bddl_files)
        return {"tasks": [task.reply() for task in self._session.tasks], "renderer": renderer}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers until close; the end of `requests` ends the process at once, whatever it works on."""
    serve_requests(FRAMES, Worker().answer, requests, replies)
