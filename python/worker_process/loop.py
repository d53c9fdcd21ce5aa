"""Requests in, replies out: the loop of every worker process, with heartbeats while one is being answered."""

import os
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from .errors import WorkerError
from .pipes import PipeError, Writer

HEARTBEAT_SECONDS = 0.5

Arrays = Dict[str, np.ndarray]
Request = Tuple[Dict[str, Any], Arrays]
Reply = Tuple[Dict[str, Any], Mapping[str, np.ndarray]]


class Wire(NamedTuple):
    """How messages stand on the pipes: the fields, and arrays beside them where the format keeps those apart."""

    # None at the end of the stream. Raises PipeError.
    read: Callable[[BinaryIO], Optional[Request]]
    encode: Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], bytes]


def serve(wire: Wire, answer: Callable[[Dict[str, Any], Arrays], Reply], requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers one request at a time until close; the end of `requests` ends the process at once, whatever it works on."""
    writer = Writer(replies)
    inbox: "queue.SimpleQueue[Request]" = queue.SimpleQueue()
    busy = threading.Event()
    alive = wire.encode({"id": 0, "kind": "alive"}, {})
    threading.Thread(target=_read_requests, args=(wire, requests, inbox), daemon=True).start()
    threading.Thread(target=_beat, args=(writer, alive, busy), daemon=True).start()
    while True:
        request, arrays = inbox.get()
        busy.set()
        identity = request.get("id")
        try:
            fields, sent = answer(request, arrays)
            reply: Dict[str, Any] = {"id": identity, "ok": True, **fields}
        except WorkerError as error:
            reply, sent = _failure(identity, error.kind, str(error)), {}
        except Exception as error:  # whatever it is, the parent hears of it and decides
            traceback.print_exc(file=sys.stderr)
            reply, sent = _failure(identity, "internal", f"{type(error).__name__}: {error}"), {}
        busy.clear()
        writer.write(wire.encode(reply, sent))
        if request.get("kind") == "close":
            return


def _failure(identity: Any, kind: str, message: str) -> Dict[str, Any]:
    return {"id": identity, "ok": False, "error": {"kind": kind, "message": " ".join(message.split())}}


def _read_requests(wire: Wire, stream: BinaryIO, inbox: "queue.SimpleQueue[Request]") -> None:
    try:
        while True:
            request = wire.read(stream)
            if request is None:
                os._exit(0)
            inbox.put(request)
    except (PipeError, OSError, ValueError) as error:
        print(f"Cannot read a request: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _beat(writer: Writer, alive: bytes, busy: threading.Event) -> None:
    pause = threading.Event()
    while True:
        busy.wait()
        pause.wait(HEARTBEAT_SECONDS)
        if busy.is_set():
            try:
                writer.write(alive)
            except OSError:
                os._exit(0)
