"""What requests may say: read and checked before anything acts on them."""

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from worker_process.errors import WorkerError
from worker_process.loop import Arrays

ACTION_SIZE = 7
LARGEST_SEED = 2**32 - 1
LARGEST_SIDE = 4096

Camera = Tuple[str, int, int]


@dataclass(frozen=True)
class OpenRequest:
    """Which suite, from which files, seen by which cameras (name, width, height), stepped by which loop."""

    suite: str
    root: Optional[str]
    cameras: Sequence[Camera]
    fast: bool


@dataclass(frozen=True)
class Start:
    """Key of an episode's first state; `seed` is for NumPy's global generator, which draws poses at a reset."""

    split: str
    index: int
    seed: int
    settle: int


def read_open(request: Mapping[str, Any]) -> OpenRequest:
    """The request to open a suite. Raises WorkerError("usage")."""
    root = request.get("root")
    if root is not None and not isinstance(root, str):
        raise WorkerError("usage", f"Cannot open root {root!r}: wanted a folder's path or nothing")
    return OpenRequest(
        suite=_field(request, "suite", str),
        root=root or None,
        cameras=[_camera(entry) for entry in request.get("cameras") or []],
        fast=bool(request.get("fast", True)),
    )


def read_start(request: Mapping[str, Any]) -> Start:
    """The key in a request to reset. Raises WorkerError("usage")."""
    start = Start(
        split=_field(request, "split", str),
        index=_field(request, "index", int),
        seed=_field(request, "seed", int),
        settle=_field(request, "settle", int),
    )
    if start.split not in ("training", "evaluation"):
        raise WorkerError("usage", f"Cannot reset to split {start.split!r}: wanted training or evaluation")
    if start.index < 0 or start.settle < 0:
        raise WorkerError("usage", f"Cannot reset to index {start.index}, settle {start.settle}: wanted 0 or more")
    if not 0 <= start.seed <= LARGEST_SEED:
        raise WorkerError("usage", f"Cannot reset with seed {start.seed}: wanted 0 to {LARGEST_SEED}")
    return start


def read_task(request: Mapping[str, Any]) -> str:
    """The task's name in a request to reset. Raises WorkerError("usage")."""
    return _field(request, "task", str)


def read_replay(arrays: Arrays) -> np.ndarray:
    """The actions to replay after a reset, [n, 7], none when there are none. Raises WorkerError("usage")."""
    replay = arrays.get("replay", np.zeros((0, ACTION_SIZE), np.float32))
    if replay.ndim != 2 or replay.shape[1] != ACTION_SIZE:
        raise WorkerError("usage", f"Cannot replay an array of shape {replay.shape}: wanted [n, {ACTION_SIZE}]")
    return replay


def read_action(arrays: Arrays) -> np.ndarray:
    """The action of a step, [7]. Raises WorkerError("usage")."""
    action = arrays.get("action")
    if action is None or action.shape != (ACTION_SIZE,) or not np.isfinite(action).all():
        raise WorkerError("usage", f"Cannot step: wanted an array action of {ACTION_SIZE} finite numbers")
    return action


def _field(request: Mapping[str, Any], name: str, kind: type) -> Any:
    value = request.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise WorkerError("usage", f"Cannot {request.get('kind')} with {name} {value!r}: wanted {kind.__name__}")
    return value


def _camera(entry: List[Any]) -> Camera:
    if len(entry) == 3 and isinstance(entry[0], str):
        name, width, height = entry
        if all(isinstance(side, int) and 0 < side <= LARGEST_SIDE for side in (width, height)):
            return name, width, height
    wanted = f"[name, width, height], 1 to {LARGEST_SIDE} pixels"
    raise WorkerError("usage", f"Cannot open camera {entry!r}: wanted {wanted}")
