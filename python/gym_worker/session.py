"""An opened environment: starts, replays, steps, and the pictures that are due."""

import hashlib
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
from libero_worker.requests import read_start
from worker_process.errors import WorkerError
from worker_process.loop import Arrays, Reply

from .aloha import open_environment

LARGEST_SIDE = 4096


class Session:
    """One environment. Tasks are the environments named in the request to open; one is open at a time."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._module = str(request.get("module") or "")
        self._tasks: Dict[str, str] = dict(_map(request, "tasks"))
        self._options: Dict[str, Any] = dict(_map(request, "options"))
        self._cameras = [_camera(entry) for entry in request.get("cameras") or []]
        self._every = int(request.get("every", 1))
        self._budget = int(request.get("budget", 0))
        self._task = ""
        self._environment: Any = None
        self._steps = 0
        if not self._tasks or self._every < 1 or self._budget < 1:
            raise WorkerError("usage", "Cannot open: wanted tasks, every >= 1 and budget >= 1")

    def reset(self, request: Mapping[str, Any], arrays: Arrays) -> Reply:
        """Starts an episode and replays actions."""
        start = read_start(request)
        self._open(request.get("task"))
        size = self._environment.action_size
        replay = arrays.get("replay", np.zeros((0, size), np.float32))
        if replay.ndim != 2 or replay.shape[1] != size:
            raise WorkerError("usage", f"Cannot replay an array of shape {replay.shape}: wanted [n, {size}]")
        self._environment.reset(start.seed)
        self._steps = 0
        success = False
        for action in replay:
            success = self._advance(action)
        header = {"objects": self._environment.objects(), "done_replay": len(replay), "action": size}
        return self._reply(success, request, header)

    def step(self, request: Mapping[str, Any], arrays: Arrays) -> Reply:
        """Takes one control step."""
        if self._environment is None:
            raise WorkerError("usage", "Cannot step: reset first")
        action, size = arrays.get("action"), self._environment.action_size
        if action is None or action.shape != (size,) or not np.isfinite(action).all():
            raise WorkerError("usage", f"Cannot step: wanted an array action of {size} finite numbers")
        return self._reply(self._advance(action), request, {})

    def close(self) -> None:
        """Frees the environment."""
        if self._environment is not None:
            self._environment.env.close()

    def _open(self, task: Any) -> None:
        if task not in self._tasks:
            raise WorkerError("usage", f"Cannot reset to task {task!r}: known are {', '.join(self._tasks)}")
        if task == self._task:
            return
        self.close()
        self._environment = open_environment(self._tasks[task], self._module, self._options)
        self._task = task
        for name, _, _ in self._cameras:
            if name not in self._environment.cameras:
                known = ", ".join(self._environment.cameras)
                raise WorkerError("usage", f"Cannot open camera {name!r}: {task} has {known}")

    def _advance(self, action: np.ndarray) -> bool:
        self._steps += 1
        return self._environment.step(np.asarray(action, np.float64))

    def _reply(self, success: bool, request: Mapping[str, Any], header: Dict[str, Any]) -> Reply:
        environment = self._environment
        state = np.asarray(environment.state(), np.float64)
        arrays: Dict[str, np.ndarray] = {"state": state}
        if success or self._steps % self._every == 0 or self._steps >= self._budget:
            for name, width, height in self._cameras:
                arrays[f"image/{name}"] = self._draw(name, width, height)
        header = {**header, "success": success}
        if request.get("hash"):
            header["hash"] = hashlib.sha256(state.tobytes()).hexdigest()
        return header, arrays

    def _draw(self, name: str, width: int, height: int) -> np.ndarray:
        try:
            return np.ascontiguousarray(self._environment.picture(name, width, height))
        except WorkerError:
            raise
        except Exception as error:  # OpenGL's failures have no common class
            mend = "install libosmesa6 libegl1 libgl1, or open the world without cameras"
            raise WorkerError("render", f"Cannot draw camera {name}: {error}; {mend}")


def _map(request: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = request.get(name) or {}
    if not isinstance(value, dict):
        raise WorkerError("usage", f"Cannot open with {name} {value!r}: wanted a map")
    return value


def _camera(entry: List[Any]) -> Tuple[str, int, int]:
    if len(entry) == 3 and isinstance(entry[0], str):
        name, width, height = entry
        if all(isinstance(side, int) and 0 < side <= LARGEST_SIDE for side in (width, height)):
            return name, width, height
    wanted = f"[name, width, height], 1 to {LARGEST_SIDE} pixels"
    raise WorkerError("usage", f"Cannot open camera {entry!r}: wanted {wanted}")
