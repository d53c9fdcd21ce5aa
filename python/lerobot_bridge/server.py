"""The loop over requests: hello, open, sample, close."""

import os
import platform
import queue
import sys
import threading
import traceback
from importlib import metadata
from typing import Any, BinaryIO, Dict, Mapping, Optional

import numpy as np

from .errors import BridgeError
from .wire import WireError, Writer, read_message

PROTOCOL = 1
HEARTBEAT_SECONDS = 0.5
PACKAGES = ("lerobot", "torch", "transformers", "numpy", "safetensors")


def versions() -> Dict[str, Optional[str]]:
    """Versions of what decides a policy's numbers; None for what is missing."""
    found: Dict[str, Optional[str]] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


class Worker:
    """Answers requests one at a time, in the order they came."""

    def __init__(self) -> None:
        self._served: Optional[Any] = None

    def answer(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        """The reply to one request, without its id."""
        kind = request.get("kind")
        if kind == "hello":
            return {"protocol": PROTOCOL, "python": platform.python_version(), "versions": versions(), "pid": os.getpid()}
        if kind == "open":
            return self._open(request)
        if kind == "sample":
            if self._served is None:
                raise BridgeError("usage", "Cannot sample: open a policy first")
            return {"actions": self._served.sample(request)}
        if kind == "close":
            return {}
        raise BridgeError("usage", f"Cannot answer {kind!r}: known requests are hello, open, sample, close")

    def _open(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        from .events import load_plugin
        from .serving import Served, read_open

        load_plugin()
        opened = read_open(request)
        self._served = Served(*opened)
        return {"policy": self._served.describe()}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers until close; the end of `requests` ends the process at once, whatever it works on."""
    writer = Writer(replies)
    inbox: "queue.SimpleQueue[Dict[str, Any]]" = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read_requests, args=(requests, inbox), daemon=True).start()
    threading.Thread(target=_beat, args=(writer, busy), daemon=True).start()
    worker = Worker()
    while True:
        request = inbox.get()
        busy.set()
        identity = request.get("id")
        try:
            reply: Dict[str, Any] = {"id": identity, "ok": True, **worker.answer(request)}
        except BridgeError as error:
            reply = _failure(identity, error.kind, str(error))
        except Exception as error:  # whatever it is, the parent hears of it and decides
            traceback.print_exc(file=sys.stderr)
            reply = _failure(identity, "internal", f"{type(error).__name__}: {error}")
        busy.clear()
        writer.write(reply)
        if request.get("kind") == "close":
            return


def _failure(identity: Any, kind: str, message: str) -> Dict[str, Any]:
    return {"id": identity, "ok": False, "error": {"kind": kind, "message": " ".join(message.split())}}


def _read_requests(stream: BinaryIO, inbox: "queue.SimpleQueue[Dict[str, Any]]") -> None:
    try:
        while True:
            message = read_message(stream)
            if message is None:
                os._exit(0)
            inbox.put(message)
    except (WireError, OSError, ValueError) as error:
        print(f"Cannot read a request: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _beat(writer: Writer, busy: threading.Event) -> None:
    pause = threading.Event()
    while True:
        busy.wait()
        pause.wait(HEARTBEAT_SECONDS)
        if busy.is_set():
            try:
                writer.write({"id": 0, "kind": "alive"})
            except OSError:
                os._exit(0)
