"""What a training process tells its parent: lines of standard output that begin with a mark, each one JSON object."""

import importlib
import json
import os
import sys
import threading
from typing import Any, Mapping

# Nothing that a library prints begins so.
MARK = "@uplift "


def emit(event: Mapping[str, Any]) -> None:
    """Sends one event. UPLIFT_EVENTS names a file that keeps them too: before a checkpoint that counts on them is written."""
    line = json.dumps(event)
    kept = os.environ.get("UPLIFT_EVENTS")
    if kept:
        with open(kept, "a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    sys.stdout.write(f"\n{MARK}{line}\n")
    sys.stdout.flush()


def load_plugin() -> None:
    """Imports the package that UPLIFT_LEROBOT_PLUGIN names: policies or environments that LeRobot does not bring."""
    name = os.environ.get("UPLIFT_LEROBOT_PLUGIN")
    if name:
        importlib.import_module(name)


def end_with_parent() -> None:
    """Ends this process when standard input does: whoever started it is gone, and its folder may be another's by now."""
    if os.environ.get("UPLIFT_EVENTS") is None:
        return

    def watch() -> None:
        # Not through sys.stdin: its lock would be held at the interpreter's end, which is a fatal error.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
