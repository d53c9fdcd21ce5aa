"""An opened suite: its tasks, and the simulation of the task at hand."""

from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from .assets import find_files, task_files
from .errors import WorkerError
from .fast_step import FastSimulation
from .frames import Arrays
from .observation import Camera
from .simulation import Outcome, Simulation, Start
from .simulator import import_simulator
from .tasks import TaskDescription, describe_task

Reply = Tuple[Dict[str, Any], Mapping[str, np.ndarray]]

ACTION_SIZE = 7
LARGEST_SEED = 2**32 - 1


class Session:
    """What `open` makes. One simulation lives at a time: it is kept while its task is asked for."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        suite = _field(request, "suite", str)
        files = find_files(request.get("root"))
        bddl_files = task_files(files, suite)
        self._cameras = [_camera(entry) for entry in request.get("cameras", [])]
        self._fast = bool(request.get("fast", True))
        self.renderer = import_simulator(files, cameras=len(self._cameras) > 0)
        self._tasks = {path.stem: describe_task(files, suite, path) for path in bddl_files}
        self._simulation: Optional[Simulation] = None

    def reply(self) -> Dict[str, Any]:
        """The answer to `open`."""
        return {"tasks": [task.reply() for task in self._tasks.values()], "renderer": self.renderer}

    def reset(self, request: Mapping[str, Any], arrays: Arrays) -> Reply:
        """Starts an episode and replays the actions sent along."""
        name = _field(request, "task", str)
        task = self._tasks.get(name)
        if task is None:
            raise WorkerError("usage", f"Cannot reset to task {name}: the suite has {', '.join(self._tasks)}")
        start = _start(request)
        replay = arrays.get("replay", np.zeros((0, ACTION_SIZE), np.float32))
        if replay.ndim != 2 or replay.shape[1] != ACTION_SIZE:
            raise WorkerError("usage", f"Cannot replay an array of shape {replay.shape}: wanted [n, {ACTION_SIZE}]")
        simulation = self._simulation_of(task)
        outcome = simulation.reset(start)
        if len(replay) > 0:
            success = False
            for action in replay:
                success = simulation.advance(action)
            outcome = simulation.observe(success)
        header = {"objects": task.objects, "done_replay": len(replay)}
        return self._outcome(simulation, outcome, request, header)

    def step(self, request: Mapping[str, Any], arrays: Arrays) -> Reply:
        """Advances the episode by one control step."""
        if self._simulation is None:
            raise WorkerError("usage", "Cannot step: reset first")
        action = arrays.get("action")
        if action is None or action.shape != (ACTION_SIZE,):
            raise WorkerError("usage", f"Cannot step: wanted an array action of shape [{ACTION_SIZE}]")
        return self._outcome(self._simulation, self._simulation.step(action), request, {})

    def close(self) -> None:
        """Frees the simulation; GL complains at exit where its context is still there."""
        if self._simulation is not None:
            self._simulation.close()
            self._simulation = None

    def _simulation_of(self, task: TaskDescription) -> Simulation:
        if self._simulation is None or self._simulation.task is not task:
            self.close()
            make = FastSimulation if self._fast else Simulation
            self._simulation = make(task, self._cameras)
        return self._simulation

    @staticmethod
    def _outcome(simulation: Simulation, outcome: Outcome, request: Mapping[str, Any], header: Dict[str, Any]) -> Reply:
        header = {**header, "success": outcome.success}
        if request.get("hash", False):
            header["hash"] = simulation.hash()
        return header, {"state": outcome.state, **outcome.images}


def _field(request: Mapping[str, Any], name: str, kind: type) -> Any:
    value = request.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise WorkerError("usage", f"Cannot {request.get('kind')} with {name} {value!r}: wanted {kind.__name__}")
    return value


def _camera(entry: List[Any]) -> Camera:
    name, width, height = entry
    if not (isinstance(name, str) and 0 < width <= 4096 and 0 < height <= 4096):
        raise WorkerError("usage", f"Cannot open camera {entry!r}: wanted [name, width, height], 1 to 4096 pixels")
    return name, width, height


def _start(request: Mapping[str, Any]) -> Start:
    start = Start(*(_field(request, name, kind) for name, kind in (("split", str), ("index", int), ("seed", int), ("settle", int))))
    if start.split not in ("training", "evaluation"):
        raise WorkerError("usage", f"Cannot reset to split {start.split!r}: wanted training or evaluation")
    if start.index < 0 or start.settle < 0:
        raise WorkerError("usage", f"Cannot reset with index {start.index} and settle {start.settle}: wanted 0 or more")
    if not 0 <= start.seed <= LARGEST_SEED:
        raise WorkerError("usage", f"Cannot reset with seed {start.seed}: wanted 0 to {LARGEST_SEED}")
    return start
