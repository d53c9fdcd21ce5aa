"""One task of LIBERO in MuJoCo: reproducible starts, steps, observations."""

import hashlib
from dataclasses import dataclass
from typing import Dict, Optional, Sequence

import numpy as np
from worker_process.errors import WorkerError

from .init_states import read_initial_states
from .observation import StateReader
from .requests import Camera, Start
from .tasks import TaskDescription

# The benchmark's own: objects of its initial states hang 4 to 16 cm in the air and must come to rest.
SETTLE_ACTION = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])
# LIBERO draws placements anew when they do not fit. It would do so forever.
PLACEMENT_ATTEMPTS = 50


@dataclass(frozen=True)
class Outcome:
    """What is sent after a reset or a step."""

    success: bool
    state: np.ndarray
    images: Dict[str, np.ndarray]


class Simulation:
    """LIBERO's `ControlEnv` of one task, reset and stepped by its own code."""

    def __init__(self, task: TaskDescription, cameras: Sequence[Camera]) -> None:
        self.task = task
        self._cameras = cameras
        self._initial_states: Optional[np.ndarray] = None
        self._wrapper = self._make_environment()
        self._domain = self._wrapper.env
        self._samplers = list(self._domain.object_property_initializers)
        known = self._domain.sim.model.camera_names
        for name, _, _ in cameras:
            if name not in known:
                raise WorkerError("usage", f"Cannot render camera {name}: {task.name} has {', '.join(known)}")

    def reset(self, start: Start) -> bool:
        """Seed, reset, initial state of the benchmark (evaluation only), settle: the same bytes whatever ran before.

        Returns whether the task is done already.
        """
        state = self._initial_state(start)
        np.random.seed(start.seed)
        self._reset_domain()
        if state is not None:
            self._wrapper.set_init_state(state)
        self._begin()
        success = False
        for _ in range(start.settle):
            success = self.advance(SETTLE_ACTION)
        return success

    def advance(self, action: np.ndarray) -> bool:
        """One control step of 50 ms under `action` [7]; whether the task is done by LIBERO's own check."""
        _, _, done, _ = self._wrapper.step(action.astype(np.float64))
        return bool(done)

    def observe(self, success: bool) -> Outcome:
        """What is seen now.

        Poses in the world are those that the last of the 25 substeps began with, 2 ms before qpos. robosuite's own
        observations are of that moment or the substep before, as the rounding of its sampling timer falls.
        """
        return Outcome(success, self._reader.read(), self._images())

    def hash(self) -> str:
        """SHA-256 of the bytes of qpos, then qvel (float64, little endian)."""
        data = self._domain.sim.data._data
        return hashlib.sha256(data.qpos.astype("<f8").tobytes() + data.qvel.astype("<f8").tobytes()).hexdigest()

    def speeds(self) -> Dict[str, float]:
        """Speed of every movable object's origin, m/s."""
        return self._reader.speeds(self.task.movable)

    def close(self) -> None:
        """Frees the simulation and its renderer."""
        self._wrapper.close()

    def _make_environment(self):
        from libero.libero.envs.env_wrapper import ControlEnv

        return ControlEnv(
            bddl_file_name=str(self.task.bddl),
            use_camera_obs=False,
            has_offscreen_renderer=len(self._cameras) > 0,
            ignore_done=True,
        )

    def _initial_state(self, start: Start) -> Optional[np.ndarray]:
        if start.split == "training":
            return None
        if self._initial_states is None:
            self._initial_states = read_initial_states(self.task.states)
        count = len(self._initial_states)
        if start.index >= count:
            raise WorkerError(
                "usage", f"Cannot reset {self.task.name} to evaluation state {start.index}: it has 0 to {count - 1}"
            )
        return self._initial_states[start.index]

    def _reset_domain(self) -> None:
        """`ControlEnv.reset` without its endless loop around every exception."""
        from robosuite.utils.errors import RandomizationError

        # LIBERO adds its samplers of drawers and knobs once more at each hard reset, and each draws: how many resets
        # ran before would decide the scene. Every reset here has what the first one after construction has.
        self._domain.object_property_initializers = list(self._samplers)
        for _ in range(PLACEMENT_ATTEMPTS):
            try:
                self._domain.reset()
                return
            except RandomizationError:
                continue
        raise placement_fault(self.task)

    def _begin(self) -> None:
        """Called when a new episode stands, before its settle steps."""
        self._reader = StateReader(self._domain, self.task.objects)

    def _images(self) -> Dict[str, np.ndarray]:
        """A picture by `image/<camera>`, uint8 [height, width, 3], row 0 at the top (robosuite's are upside down)."""
        return {
            f"image/{name}": self._domain.sim.render(camera_name=name, width=width, height=height)[::-1]
            for name, width, height in self._cameras
        }


def placement_fault(task: TaskDescription) -> WorkerError:
    """The error of a scene that cannot be laid out."""
    return WorkerError(
        "usage",
        f"Cannot place the objects of {task.name} in {PLACEMENT_ATTEMPTS} attempts: take another training index",
    )
