"""Requests in, replies out: the loop of every worker process, with heartbeats while one is being answered."""

import os
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO, Callable, Dict, Mapping, Tuple

import numpy as np

from .errors import WorkerError
from .frames import Arrays, FrameError, FrameWriter, read_frame

HEARTBEAT_SECONDS = 0.5

Reply = Tuple[Dict[str, Any], Mapping[str, np.ndarray]]
Answer = Callable[[Dict[str, Any], Arrays], Reply]


def serve(answer: Answer, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers one request at a time until close; the end of `requests` ends the process at once, whatever it works on."""
    writer = FrameWriter(replies)
    inbox: "queue.SimpleQueue[Tuple[Dict[str, Any], Arrays]]" = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read_requests, args=(requests, inbox), daemon=True).start()
    threading.Thread(target=_beat, args=(writer, busy), daemon=True).start()
    while True:
        request, arrays = inbox.get()
        busy.set()
        identity = request.get("id")
        try:
            header, sent = answer(request, arrays)
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
