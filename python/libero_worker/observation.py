"""The state vector, read from MuJoCo's structures of one task."""

from typing import Dict, List, Sequence, Tuple

import mujoco
import numpy as np

ROBOT_NUMBERS = 24
OBJECT_NUMBERS = 13


class StateReader:
    """Reads the state of one `BDDLBaseDomain` after a reset; made anew when its model is.

    Layout, float64: end-effector position 3, axis-angle 3,
    finger joints 2, rotation of the gripper site 9 (row-major), its linear and angular velocity 6, commanded gripper
    1; then for every name position 3, quaternion 4 (w first), linear velocity 3, angular velocity 3, in the world.
    """

    def __init__(self, domain, names: Sequence[str]) -> None:
        self._model = domain.sim.model._model
        self._data = domain.sim.data._data
        self._robot = domain.robots[0]
        self._site = self._robot.eef_site_id
        self._hand = domain.sim.model.body_name2id(self._robot.robot_model.eef_name)
        self._fingers = list(self._robot._ref_gripper_joint_pos_indexes)
        self._bodies: List[Tuple[int, int]] = []
        self._regions: List[Tuple[int, int]] = []
        self._starts = {name: ROBOT_NUMBERS + OBJECT_NUMBERS * index for index, name in enumerate(names)}
        for name, start in self._starts.items():
            if name in domain.obj_body_id:
                self._bodies.append((start, domain.obj_body_id[name]))
            else:
                self._regions.append((start, domain.sim.model.site_name2id(name)))
        self._size = ROBOT_NUMBERS + OBJECT_NUMBERS * len(names)
        self._velocity = np.zeros(6)

    def read(self) -> np.ndarray:
        """The state now, in memory of its own."""
        from robosuite.utils.transform_utils import quat2axisangle

        model, data, velocity = self._model, self._data, self._velocity
        state = np.zeros(self._size)
        state[0:3] = data.site_xpos[self._site]
        state[3:6] = quat2axisangle(data.xquat[self._hand][[1, 2, 3, 0]])
        state[6:8] = data.qpos[self._fingers]
        state[8:17] = data.site_xmat[self._site]
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_SITE, self._site, velocity, 0)
        state[17:20] = velocity[3:6]
        state[20:23] = velocity[0:3]
        # Both fingers carry the command with opposite signs; before the first action there is one zero.
        state[23] = self._robot.gripper.current_action[-1]
        for start, body in self._bodies:
            state[start : start + 3] = data.xpos[body]
            state[start + 3 : start + 7] = data.xquat[body]
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 0)
            state[start + 7 : start + 10] = velocity[3:6]
            state[start + 10 : start + 13] = velocity[0:3]
        for start, site in self._regions:
            state[start : start + 3] = data.site_xpos[site]
            mujoco.mju_mat2Quat(state[start + 3 : start + 7], data.site_xmat[site])
        return state

    def speeds(self, names: Sequence[str]) -> Dict[str, float]:
        """Speed of the origin of each of `names`, m/s."""
        state = self.read()
        starts = {name: self._starts[name] + 7 for name in names}
        return {name: float(np.linalg.norm(state[start : start + 3])) for name, start in starts.items()}
