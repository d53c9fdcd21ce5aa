"""What the worker needs of an environment, and how any Gymnasium environment gives it."""

import importlib
from typing import Any, Dict, List, Tuple

import numpy as np
from worker_process.errors import WorkerError

NO_ROTATION = np.eye(3).reshape(-1)


class GymEnvironment:
    """Any Gymnasium environment by its id: its flattened observation is the proprioception, it has no named objects.

    Success is `info["is_success"]`, or else the end of an episode with a positive reward.
    """

    cameras: Tuple[str, ...] = ("render",)

    def __init__(self, name: str, module: str, options: Dict[str, Any]) -> None:
        try:
            gymnasium = importlib.import_module("gymnasium")
            if module:
                importlib.import_module(module)
        except ImportError as error:
            raise WorkerError("import", f"Cannot import {error.name}: {error}; make this worker's environment anew")
        try:
            # Without the wrappers that check, and the one that counts steps: the parent counts them.
            made = gymnasium.make(name, disable_env_checker=True, render_mode="rgb_array", **options)
        except Exception as error:  # Gymnasium's own errors, and whatever an environment's constructor raises
            raise WorkerError("usage", f"Cannot make {name}: {error}")
        self.env = made.unwrapped
        self._observation: Any = None

    @property
    def action_size(self) -> int:
        """Numbers of an action."""
        return int(np.prod(self.env.action_space.shape))

    def objects(self) -> List[str]:
        """Names of the objects in the order of the state."""
        return []

    def reset(self, seed: int) -> None:
        """Starts an episode, decided by the seed alone."""
        self._observation, _ = self.env.reset(seed=seed)

    def step(self, action: np.ndarray) -> bool:
        """Takes one control step; True on success."""
        self._observation, reward, terminated, _, info = self.env.step(action)
        return bool(info.get("is_success", terminated and reward > 0))

    def proprioception(self) -> np.ndarray:
        """What the robot feels of itself."""
        from gymnasium.spaces import flatten

        return flatten(self.env.observation_space, self._observation).astype(np.float64)

    def state(self) -> np.ndarray:
        """The whole state vector: proprioception, rotation 9, velocity 6, gripper 1, then 13 numbers an object."""
        return np.concatenate([self.proprioception(), NO_ROTATION, np.zeros(7)])

    def picture(self, camera: str, width: int, height: int) -> np.ndarray:
        """An upright picture, [height, width, 3]."""
        image = np.asarray(self.env.render(), np.uint8)
        if image.shape != (height, width, 3):
            raise WorkerError("usage", f"Cannot draw {width} x {height}: this environment draws {image.shape}")
        return image
