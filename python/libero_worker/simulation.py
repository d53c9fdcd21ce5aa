"""One task of LIBERO in MuJoCo: reproducible starts, steps, observations."""

import hashlib
from dataclasses import dataclass
from typing import Dict, Optional, Sequence

import numpy as np

from .errors import WorkerError
from .init_states import read_initial_states
from .observation import Camera, StateReader, render
from .tasks import TaskDescription

# The benchmark's own: objects of its initial states hang 4 to 16 cm in the air and must come to rest.
SETTLE_ACTION = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])
# LIBERO's reset draws placements anew when they do not fit. It would do so forever.
PLACEMENT_ATTEMPTS = 50


@dataclass(frozen=True)
class Start:
    """Key of an episode's first state; `seed` sets NumPy's global generator, which draws poses of objects and fixtures."""

    split: str
    index: int
    seed: int
    settle: int


@dataclass(frozen=True)
class Outcome:
    """What is sent after a reset or a step."""

    success: bool
    state: np.ndarray
    images: Dict[str, np.ndarray]


class Simulation:
    """LIBERO's `ControlEnv` of one task, stepped by its own loop."""

    hard_reset = True

    def __init__(self, task: TaskDescription, cameras: Sequence[Camera]) -> None:
        from libero.libero.envs.env_wrapper import ControlEnv

        self.task = task
        self._cameras = cameras
        self._initial_states: Optional[np.ndarray] = None
        self._wrapper = ControlEnv(
            bddl_file_name=str(task.bddl),
            use_camera_obs=False,
            has_offscreen_renderer=len(cameras) > 0,
            hard_reset=self.hard_reset,
            ignore_done=True,
        )
        self._domain = self._wrapper.env
        self._samplers = list(self._domain.object_property_initializers)

    def reset(self, start: Start) -> Outcome:
        """Seed, reset, initial state of the benchmark (evaluation only), settle: the same bytes whatever ran before."""
        state = self._initial_state(start)
        np.random.seed(start.seed)
        self._reset_domain()
        if state is not None:
            self._wrapper.set_init_state(state)
        self._begin()
        success = False
        for _ in range(start.settle):
            success = self._advance(SETTLE_ACTION)
        return self._observe(success)

    def step(self, action: np.ndarray) -> Outcome:
        """One control step of 50 ms under `action` [7]."""
        return self._observe(self._advance(action.astype(np.float64)))

    def advance(self, action: np.ndarray) -> bool:
        """One control step without an observation; whether the task is done."""
        return self._advance(action.astype(np.float64))

    def observe(self, success: bool) -> Outcome:
        """What is seen now."""
        return self._observe(success)

    def hash(self) -> str:
        """SHA-256 of the bytes of qpos, then qvel (float64, little endian)."""
        data = self._domain.sim.data._data
        return hashlib.sha256(data.qpos.astype("<f8").tobytes() + data.qvel.astype("<f8").tobytes()).hexdigest()

    def close(self) -> None:
        """Frees the simulation and its renderer."""
        self._wrapper.close()

    def _initial_state(self, start: Start) -> Optional[np.ndarray]:
        if start.split == "training":
            return None
        if self._initial_states is None:
            self._initial_states = read_initial_states(self.task.states)
        count = len(self._initial_states)
        if not 0 <= start.index < count:
            raise WorkerError("usage", f"Cannot reset to evaluation state {start.index}: {self.task.name} has 0 to {count - 1}")
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

    def _advance(self, action: np.ndarray) -> bool:
        _, _, done, _ = self._wrapper.step(action)
        return bool(done)

    def _observe(self, success: bool) -> Outcome:
        # As in every published observation, poses in the world are those that the last of the 25 substeps began
        # with, 2 ms before qpos. Computing them anew would be another observation.
        return Outcome(success, self._reader.read(), render(self._domain, self._cameras))


def placement_fault(task: TaskDescription) -> WorkerError:
    """The error of a scene that cannot be laid out."""
    return WorkerError(
        "usage",
        f"Cannot place the objects of {task.name} in {PLACEMENT_ATTEMPTS} attempts: take another training index",
    )
