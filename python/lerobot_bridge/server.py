"""What the process answers: hello, open, sample, close."""

import os
import platform
from importlib import metadata
from typing import Any, BinaryIO, Dict, Mapping, Optional

from worker_process.loop import serve as serve_requests

from .errors import BridgeError
from .wire import MESSAGES

PROTOCOL = 1
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
    worker = Worker()
    serve_requests(MESSAGES, lambda request, _: (worker.answer(request), {}), requests, replies)
