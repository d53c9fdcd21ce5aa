"""The loop over requests: hello, open, reset, step, close. Bytes on the pipes are those of the LIBERO worker."""

import importlib.metadata
import os
import platform
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO, Dict, Optional

from libero_worker.errors import WorkerError
from libero_worker.frames import Arrays, FrameError, FrameWriter, read_frame

from .session import Reply, Session

PROTOCOL = 1
HEARTBEAT_SECONDS = 0.5
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
    writer = FrameWriter(replies)
    inbox: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
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


def _read_requests(stream: BinaryIO, inbox: "queue.SimpleQueue[Any]") -> None:
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
