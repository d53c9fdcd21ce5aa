"""LIBERO's control step without the work whose result nobody reads, to the same bytes.

In each of its 25 substeps robosuite computes the whole state three times: at the head of its loop (`mj_forward`), in
the controller (`mj_forward`), and within `mj_step`. Positions, contacts and velocities come out the same each time.
The constraint solver does not repeat itself: it starts from its last result, so its last bits depend on how often it
ran. Hence one pass over positions and velocities (`mj_step1`), and the solver as often as there.
"""

from typing import Sequence

import mujoco
import numpy as np

from .observation import Camera
from .simulation import PLACEMENT_ATTEMPTS, Simulation, placement_fault
from .tasks import TaskDescription

# What an episode changes in a model: poses of fixtures, and sites made visible. Read from a model just compiled.
CHANGED_BY_EPISODES = ("body_pos", "body_quat", "site_rgba")


class FastSimulation(Simulation):
    """A `Simulation` that keeps its model between episodes and steps it with `FastControl`."""

    hard_reset = False

    def __init__(self, task: TaskDescription, cameras: Sequence[Camera]) -> None:
        super().__init__(task, cameras)
        domain = self._domain
        # Nothing reads robosuite's observables; the state is read from MuJoCo's arrays.
        domain._observables = {}
        self._model = domain.sim.model._model
        self._data = domain.sim.data._data
        compiled = mujoco.MjModel.from_xml_string(domain.model.get_xml())
        self._compiled = {name: getattr(compiled, name).copy() for name in CHANGED_BY_EPISODES}
        # Force sensors cost 4 % of a step; only the robot's unread record of recent forces reads them.
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_SENSOR

    def _reset_domain(self) -> None:
        """What a hard reset does after the model has been compiled, on the model kept."""
        from robosuite.utils.errors import RandomizationError

        domain = self._domain
        for attempt in range(1, PLACEMENT_ATTEMPTS + 1):
            for name, values in self._compiled.items():
                getattr(self._model, name)[...] = values
            mujoco.mj_resetData(self._model, self._data)
            # A new simulation computes its state once before anything is placed: the solver starts from there.
            mujoco.mj_forward(self._model, self._data)
            # Construction has added the samplers of drawers and knobs once; every reset that loads adds them again.
            domain.object_property_initializers = self._samplers * (1 + attempt)
            try:
                domain._reset_internal()
            except RandomizationError:
                continue
            domain.sim.forward()
            domain.visualize({name: False for name in domain._visualizations})
            return
        raise placement_fault(self.task)

    def _begin(self) -> None:
        super()._begin()
        self._control = FastControl(self._domain)

    def _advance(self, action: np.ndarray) -> bool:
        self._control.step(action)
        success = bool(self._domain._check_success())
        # Turns what shows that a stove is on; a step of the stock loop ends so too.
        self._domain._post_process()
        return success


class FastControl:
    """robosuite's operational space control (fixed impedance, position and orientation apart) of one episode.

    The goal of a control step, the three jitted functions and the order of all sums are robosuite's own
    (controllers/osc.py, robots/single_arm.py, models/grippers/panda_gripper.py).
    """

    def __init__(self, domain) -> None:
        from robosuite.utils.control_utils import nullspace_torques, opspace_matrices, orientation_error

        self._opspace_matrices = opspace_matrices
        self._nullspace_torques = nullspace_torques
        self._orientation_error = orientation_error
        model, data = domain.sim.model._model, domain.sim.data._data
        robot = domain.robots[0]
        controller = robot.controller
        self._model, self._data, self._robot, self._controller = model, data, robot, controller
        self._substeps = int(domain.control_timestep / domain.model_timestep)

        self._site = robot.eef_site_id
        self._site_position = data.site_xpos[self._site]
        self._site_rotation = data.site_xmat[self._site].reshape(3, 3)
        self._arm = np.array(robot._ref_joint_vel_indexes)
        self._arm_positions = np.array(robot._ref_joint_pos_indexes)
        self._arm_actuators = np.array(robot._ref_joint_actuator_indexes)
        self._low, self._high = robot.torque_limits
        self._mass_indices = mass_indices(model, self._arm)

        # Memory orders as in robosuite's arrays: the jitted functions are compiled for each order apart.
        arm = len(self._arm)
        self._jacobian = np.zeros((6, model.nv))
        self._arm_jacobian = np.zeros((6, arm), order="F")
        self._linear_jacobian = np.zeros((3, arm), order="F")
        self._angular_jacobian = np.zeros((3, arm), order="F")
        self._mass = np.zeros((arm, arm), order="F")
        self._take_over()

        gripper = robot.gripper
        self._finger_actuators = [domain.sim.model.actuator_name2id(name) for name in gripper.actuators]
        ranges = model.actuator_ctrlrange[self._finger_actuators]
        self._finger_bias = 0.5 * (ranges[:, 1] + ranges[:, 0])
        self._finger_weight = 0.5 * (ranges[:, 1] - ranges[:, 0])

    def step(self, action: np.ndarray) -> None:
        """Advances the simulation by one control step under `action` [7], in [-1, 1]."""
        model, data = self._model, self._data
        gripper_action = action[self._controller.control_dim :]
        for substep in range(self._substeps):
            mujoco.mj_step1(model, data)
            mujoco.mj_fwdActuation(model, data)
            mujoco.mj_fwdAcceleration(model, data)
            mujoco.mj_fwdConstraint(model, data)
            if self._taken_over:
                # The controller still holds what it saw when it was made, before the objects were placed, and acts
                # on that for one substep: so does every published episode.
                self._taken_over = False
            else:
                mujoco.mj_fwdConstraint(model, data)
                self._look()
            if substep == 0:
                self._controller.set_goal(action[: self._controller.control_dim])
            data.ctrl[self._arm_actuators] = self._torques()
            fingers = self._robot.gripper.format_action(gripper_action)
            data.ctrl[self._finger_actuators] = self._finger_bias + self._finger_weight * fingers
            mujoco.mj_step2(model, data)

    def _take_over(self) -> None:
        """Starts from what robosuite's controller saw last."""
        controller = self._controller
        self._taken_over = True
        self._position, self._rotation = controller.ee_pos, controller.ee_ori_mat
        self._linear_velocity, self._angular_velocity = controller.ee_pos_vel, controller.ee_ori_vel
        self._joint_positions, self._joint_velocities = controller.joint_pos, controller.joint_vel
        self._arm_jacobian[...] = controller.J_full
        self._linear_jacobian[...] = controller.J_pos
        self._angular_jacobian[...] = controller.J_ori
        self._mass[...] = controller.mass_matrix

    def _look(self) -> None:
        """`Controller.update`: pose and velocity of the gripper, joints, Jacobians, mass matrix of the arm."""
        data, jacobian = self._data, self._jacobian
        mujoco.mj_jacSite(self._model, data, jacobian[:3], jacobian[3:], self._site)
        self._position, self._rotation = self._site_position, self._site_rotation
        self._linear_velocity = np.dot(jacobian[:3], data.qvel)
        self._angular_velocity = np.dot(jacobian[3:], data.qvel)
        self._joint_positions = data.qpos[self._arm_positions]
        self._joint_velocities = data.qvel[self._arm]
        self._arm_jacobian[...] = jacobian[:, self._arm]
        self._linear_jacobian[...] = self._arm_jacobian[:3]
        self._angular_jacobian[...] = self._arm_jacobian[3:]
        np.take(data.qM, self._mass_indices, out=self._mass.T)
        self._controller.ee_pos = self._position.copy()
        self._controller.ee_ori_mat = self._rotation.copy()

    def _torques(self) -> np.ndarray:
        """`OperationalSpaceController.run_controller`, clipped to the actuators' range."""
        controller = self._controller
        kp, kd = controller.kp, controller.kd
        force = (controller.goal_pos - self._position) * kp[:3] + -self._linear_velocity * kd[:3]
        error = self._orientation_error(controller.goal_ori, self._rotation)
        torque = error * kp[3:] + -self._angular_velocity * kd[3:]
        _, linear, angular, nullspace = self._opspace_matrices(
            self._mass, self._arm_jacobian, self._linear_jacobian, self._angular_jacobian
        )
        wrench = np.concatenate([np.dot(linear, force), np.dot(angular, torque)])
        torques = np.dot(self._arm_jacobian.T, wrench) + self._data.qfrc_bias[self._arm]
        torques += self._nullspace_torques(
            self._mass, nullspace, controller.initial_joint, self._joint_positions, self._joint_velocities
        )
        return np.clip(torques, self._low, self._high)


def mass_indices(model: mujoco.MjModel, dofs: np.ndarray) -> np.ndarray:
    """Where the mass matrix of `dofs`, a chain of joints, lies within `MjData.qM`, [n, n]."""
    address = {}
    for dof in dofs:
        ancestor, at = int(dof), int(model.dof_Madr[dof])
        while ancestor >= 0:
            address[int(dof), ancestor] = address[ancestor, int(dof)] = at
            ancestor, at = int(model.dof_parentid[ancestor]), at + 1
    return np.array([[address[int(row), int(column)] for column in dofs] for row in dofs])
