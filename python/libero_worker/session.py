"""An opened suite: its tasks, and the simulation of the task at hand."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from worker_process.errors import WorkerError
from worker_process.loop import Arrays, Reply

from .assets import Files
from .fast_step import FastSimulation
from .requests import OpenRequest, read_action, read_replay, read_start, read_task
from .simulation import Outcome, Simulation
from .tasks import TaskDescription, describe_task


class Session:
    """One simulation lives at a time: it is kept while its task is asked for. Wants the simulator imported."""

    def __init__(self, opened: OpenRequest, files: Files, bddl_files: Sequence[Path]) -> None:
        self._opened = opened
        self._tasks = {path.stem: describe_task(files, opened.suite, path) for path in bddl_files}
        self._simulation: Optional[Simulation] = None
        self._running = False

    @property
    def tasks(self) -> Sequence[TaskDescription]:
        """The suite's tasks in the benchmark's order."""
        return list(self._tasks.values())

    def reset(self, request: Mapping[str, Any], arrays: Arrays) -> Reply:
        """Starts an episode and replays the actions sent along."""
        simulation = self.simulation(read_task(request))
        start, replay = read_start(request), read_replay(arrays)
        self._running = False
        success = simulation.reset(start)
        for action in replay:
            success = simulation.advance(action)
        self._running = True
        header = {"objects": simulation.task.objects, "done_replay": len(replay)}
        return self._answer(simulation.observe(success), request, header)

    def step(self, request: Mapping[str, Any], arrays: Arrays) -> Reply:
        """Advances the episode by one control step."""
        if self._simulation is None or not self._running:
            raise WorkerError("usage", "Cannot step: reset first")
        success = self._simulation.advance(read_action(arrays))
        return self._answer(self._simulation.observe(success), request, {})

    def close(self) -> None:
        """Frees the simulation; GL complains at exit where its context is still there."""
        if self._simulation is not None:
            self._simulation.close()
            self._simulation = None

    def simulation(self, name: str) -> Simulation:
        """The simulation of the task `name`, made when it is not the latest one."""
        task = self._tasks.get(name)
        if task is None:
            raise WorkerError("usage", f"Cannot reset to task {name}: the suite has {', '.join(self._tasks)}")
        if self._simulation is None or self._simulation.task is not task:
            self.close()
            self._running = False
            make = FastSimulation if self._opened.fast else Simulation
            self._simulation = make(task, self._opened.cameras)
        return self._simulation

    def _answer(self, outcome: Outcome, request: Mapping[str, Any], header: Dict[str, Any]) -> Reply:
        header = {**header, "success": outcome.success}
        if request.get("hash", False) and self._simulation is not None:
            header["hash"] = self._simulation.hash()
        return header, {"state": outcome.state, **outcome.images}
