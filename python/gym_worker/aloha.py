"""gym-aloha's simulated tasks. Its own environment draws three pictures of 640 x 480 at every step, wanted or not."""

from typing import Any, Dict, List

import numpy as np

from .environment import GymEnvironment

# Bodies of each task: the one to move and the one it is moved to.
OBJECTS = {
    "transfer_cube": ("box", "vx300s_left/gripper_link"),
    "insertion": ("peg", "socket"),
}
HAND = "vx300s_right/gripper_link"
NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


class AlohaEnvironment(GymEnvironment):
    """Joint positions of both arms as proprioception, poses from MuJoCo, pictures only when they are asked for."""

    cameras = ("top", "angle", "front_close", "left_pillar", "right_pillar")

    def __init__(self, name: str, module: str, options: Dict[str, Any]) -> None:
        super().__init__(name, module, {**options, "obs_type": "pixels_agent_pos"})
        task = self.env._env.task
        # What a step computes does not depend on what is drawn of it.
        task.get_observation = lambda physics: {"qpos": task.get_qpos(physics), "images": {"top": NO_PICTURE}}

    @property
    def _physics(self) -> Any:
        return self.env._env.physics

    def objects(self) -> List[str]:
        return list(OBJECTS[self.env.task])

    def proprioception(self) -> np.ndarray:
        return np.asarray(self._observation["agent_pos"], np.float64)

    def state(self) -> np.ndarray:
        physics = self._physics
        joints = self.proprioception()
        rotation = physics.named.data.xmat[HAND]
        parts = [joints, rotation, self._velocity(HAND), [np.clip(1 - 2 * joints[13], -1, 1)]]
        for body in self.objects():
            data = physics.named.data
            parts += [data.xpos[body], data.xquat[body], self._velocity(body)]
        return np.concatenate(parts)

    def picture(self, camera: str, width: int, height: int) -> np.ndarray:
        return self._physics.render(height=height, width=width, camera_id=camera)

    def _velocity(self, body: str) -> np.ndarray:
        """Linear, then angular velocity in the world."""
        import mujoco

        physics = self._physics
        both = np.zeros(6)
        number = physics.model.name2id(body, "body")
        kind = mujoco.mjtObj.mjOBJ_XBODY
        mujoco.mj_objectVelocity(physics.model.ptr, physics.data.ptr, kind, number, both, 0)
        return np.concatenate([both[3:], both[:3]])


def open_environment(name: str, module: str, options: Dict[str, Any]) -> GymEnvironment:
    """The environment of an id, by the adapter that knows it best."""
    kind = AlohaEnvironment if module == "gym_aloha" else GymEnvironment
    return kind(name, module, options)
