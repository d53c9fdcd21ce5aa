"""The loop over requests: hello, open, reset, step, close."""

import os
import platform
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO, Dict, Mapping, Optional, Tuple

import numpy as np

from .assets import find_files, task_files
from .errors import WorkerError
from .frames import Arrays, FrameError, FrameWriter, read_frame
from .requests import read_open
from .simulator import import_simulator, versions

PROTOCOL = 1
HEARTBEAT_SECONDS = 0.5

Reply = Tuple[Dict[str, Any], Mapping[str, np.ndarray]]


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
    writer = FrameWriter(replies)
    inbox: "queue.SimpleQueue[Tuple[Dict[str, Any], Arrays]]" = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read_requests, args=(requests, inbox), daemon=True).start()
    threading.Thread(target=_beat, args=(writer, busy), daemon=True).start()
    worker = Worker()
    while True:
        request, arrays = inbox.get()
        busy.set()
        identity = request.get("id")
        try:
            header, sent = worker.answer(request, arrays)
            reply: Dict[str, Any] = {"id": identity, "ok": True, **header}
        except WorkerError as error:
            reply, sent = _failure(identity, error.kind, str(error)), {}
        except Exception as error:  # whatever it is, the parent hears of it and decides
            traceback.print_exc(file=sys.stderr)
            reply, sent = _failure(identity, "internal", f"{type(error).__name__}: {error}"), {}
        busy.clear()
        writer.write(reply, sent)
        if request.get("kind") == "close":
            return


def _failure(identity: Any, kind: str, message: str) -> Dict[str, Any]:
    return {"id": identity, "ok": False, "error": {"kind": kind, "message": " ".join(message.split())}}


def _read_requests(stream: BinaryIO, inbox: "queue.SimpleQueue[Tuple[Dict[str, Any], Arrays]]") -> None:
    try:
        while True:
            frame = read_frame(stream)
            if frame is None:
                os._exit(0)
            inbox.put(frame)
    except (FrameError, OSError, ValueError) as error:
        print(f"Cannot read a request: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _beat(writer: FrameWriter, busy: threading.Event) -> None:
    pause = threading.Event()
    while True:
        busy.wait()
        pause.wait(HEARTBEAT_SECONDS)
        if busy.is_set():
            try:
                writer.write({"id": 0, "kind": "alive"})
            except OSError:
                os._exit(0)
