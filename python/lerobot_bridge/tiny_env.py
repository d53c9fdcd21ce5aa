"""A tiny environment for tests of `lerobot-eval`: three steps, then success. Registered as type "uplift_tiny"."""

from dataclasses import dataclass, field
from typing import Any, Dict

import gymnasium as gym
import numpy as np
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig
from lerobot.utils.constants import ACTION, OBS_STATE

from .tiny import ACTION as ACTION_WIDTH
from .tiny import CAMERAS, STATE

LENGTH = 3


class TinyEnv(gym.Env):
    """Random pictures and states; every episode succeeds at its third step."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    _max_episode_steps = 10

    def __init__(self, **_: Any) -> None:
        picture = gym.spaces.Box(0, 255, (32, 32, 3), np.uint8)
        self.observation_space = gym.spaces.Dict(
            {
                "pixels": gym.spaces.Dict({name.rsplit(".", 1)[1]: picture for name in CAMERAS}),
                "agent_pos": gym.spaces.Box(-10, 10, (STATE,), np.float32),
            }
        )
        self.action_space = gym.spaces.Box(-10, 10, (ACTION_WIDTH,), np.float32)
        self.steps = 0

    def _observe(self) -> Dict[str, Any]:
        return {
            "pixels": {
                name.rsplit(".", 1)[1]: self.np_random.integers(0, 255, (32, 32, 3), dtype=np.uint8) for name in CAMERAS
            },
            "agent_pos": self.np_random.normal(size=STATE).clip(-5, 5).astype(np.float32),
        }

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self._observe(), {"is_success": False}

    def step(self, action: Any) -> Any:
        self.steps += 1
        done = self.steps >= LENGTH
        return self._observe(), float(done), done, False, {"is_success": done}

    def render(self) -> Any:
        return np.zeros((32, 32, 3), np.uint8)


gym.register(id="gym_uplift_tiny/tiny-v0", entry_point=TinyEnv)


@EnvConfig.register_subclass("uplift_tiny")
@dataclass
class TinyEnvConfig(EnvConfig):
    """LeRobot's configuration of it."""

    task: str = "tiny-v0"
    fps: int = 10
    features: Dict[str, PolicyFeature] = field(
        default_factory=lambda: {
            "agent_pos": PolicyFeature(FeatureType.STATE, (STATE,)),
            ACTION: PolicyFeature(FeatureType.ACTION, (ACTION_WIDTH,)),
            **{f"pixels/{n.rsplit('.', 1)[1]}": PolicyFeature(FeatureType.VISUAL, (32, 32, 3)) for n in CAMERAS},
        }
    )
    features_map: Dict[str, str] = field(
        default_factory=lambda: {
            "agent_pos": OBS_STATE,
            ACTION: ACTION,
            **{f"pixels/{n.rsplit('.', 1)[1]}": n for n in CAMERAS},
        }
    )

    @property
    def gym_kwargs(self) -> Dict[str, Any]:
        """Nothing."""
        return {}
