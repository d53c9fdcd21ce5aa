"""LIBERO's control step without the work whose result nobody reads, to the same bytes.

In each of its 25 substeps robosuite computes the whole state three times: at the head of its loop (`mj_forward`), in
the controller (`mj_forward`), and within `mj_step`. Positions, contacts and velocities come out the same each time.
The constraint solver does not repeat itself: it starts from its last result, so its last bits depend on how often it
ran. Hence one pass over positions and velocities (`mj_step1`), and the solver as often as there.
"""

from typing import Sequence

import mujoco
import numpy as np

from .requests import Camera
from .simulation import PLACEMENT_ATTEMPTS, Simulation, placement_fault
from .tasks import TaskDescription

# What an episode changes in a model: poses of fixtures, and sites made visible. Read from a model just compiled.
CHANGED_BY_EPISODES = ("body_pos", "body_quat", "site_rgba")


class FastSimulation(Simulation):
    """A `Simulation` that keeps its model between episodes and steps it with `FastControl`."""

    def __init__(self, task: TaskDescription, cameras: Sequence[Camera]) -> None:
        super().__init__(task, cameras)
        domain = self._domain
        self._model = domain.sim.model._model
        self._data = domain.sim.data._data
        compiled = mujoco.MjModel.from_xml_string(domain.model.get_xml())
        self._compiled = {name: getattr(compiled, name).copy() for name in CHANGED_BY_EPISODES}
        # Force sensors cost 4 % of a step; only the robot's unread record of recent forces reads them.
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_SENSOR
        # Nor does anything read robosuite's observables: the state is read from MuJoCo's arrays.
        domain._observables = {}

    def advance(self, action: np.ndarray) -> bool:
        """One control step of 50 ms under `action` [7]; whether the task is done by LIBERO's own check."""
        self._control.step(action.astype(np.float64))
        success = bool(self._domain._check_success())
        # Makes visible that a stove is on; the stock step ends so too.
        self._domain._post_process()
        return success

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
        self._model, self._data, self._gripper, self._controller = model, data, robot.gripper, controller
        self._substeps = int(domain.control_timestep / domain.model_timestep)
        self._force_gains, self._torque_gains = controller.kp[:3], controller.kp[3:]
        self._force_damping, self._torque_damping = controller.kd[:3], controller.kd[3:]
        self._low, self._high = robot.torque_limits

        # Views of MuJoCo's own memory, which stays where it is as long as the simulation lives.
        dofs = consecutive(robot._ref_joint_vel_indexes)
        self._site = robot.eef_site_id
        self._site_position = data.site_xpos[self._site]
        self._site_rotation = data.site_xmat[self._site].reshape(3, 3)
        self._velocities, self._packed_mass = data.qvel, data.qM
        self._arm_positions = data.qpos[consecutive(robot._ref_joint_pos_indexes)]
        self._arm_velocities = data.qvel[dofs]
        self._arm_bias = data.qfrc_bias[dofs]
        self._arm_control = data.ctrl[consecutive(robot._ref_joint_actuator_indexes)]
        self._mass_indices = mass_indices(model, dofs)

        # Memory orders as in robosuite's arrays: the jitted functions are compiled for each order apart.
        arm = len(self._arm_velocities)
        jacobian = np.zeros((6, model.nv))
        self._linear_rows, self._angular_rows, self._arm_columns = jacobian[:3], jacobian[3:], jacobian[:, dofs]
        self._arm_jacobian = np.zeros((6, arm), order="F")
        self._linear_jacobian = np.zeros((3, arm), order="F")
        self._angular_jacobian = np.zeros((3, arm), order="F")
        self._mass = np.zeros((arm, arm), order="F")
        self._wrench = np.zeros(6)
        self._take_over()

        fingers = consecutive([domain.sim.model.actuator_name2id(name) for name in robot.gripper.actuators])
        self._finger_control = data.ctrl[fingers]
        ranges = model.actuator_ctrlrange[fingers]
        self._finger_bias = (0.5 * (ranges[:, 1] + ranges[:, 0])).tolist()
        self._finger_weight = (0.5 * (ranges[:, 1] - ranges[:, 0])).tolist()

    def step(self, action: np.ndarray) -> None:
        """Advances the simulation by one control step under `action` [7], in [-1, 1]."""
        model, data = self._model, self._data
        bias, weight, finger_control = self._finger_bias, self._finger_weight, self._finger_control
        # Panda's command: an integrator in [-1, 1] a finger, with opposite signs.
        command = float(self._gripper.current_action[-1])
        change = float(self._gripper.speed * np.sign(action[-1]))
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
                self._set_goal(action[:-1])
            self._arm_control[...] = self._torques()
            command = min(1.0, max(-1.0, command + change))
            finger_control[0] = bias[0] + weight[0] * -command
            finger_control[1] = bias[1] + weight[1] * command
            mujoco.mj_step2(model, data)
        self._gripper.current_action = np.array([-command, command])

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
        mujoco.mj_jacSite(self._model, self._data, self._linear_rows, self._angular_rows, self._site)
        self._position, self._rotation = self._site_position, self._site_rotation
        self._linear_velocity = self._linear_rows.dot(self._velocities)
        self._angular_velocity = self._angular_rows.dot(self._velocities)
        self._joint_positions, self._joint_velocities = self._arm_positions, self._arm_velocities
        self._arm_jacobian[...] = self._arm_columns
        self._linear_jacobian[...] = self._arm_jacobian[:3]
        self._angular_jacobian[...] = self._arm_jacobian[3:]
        self._packed_mass.take(self._mass_indices, out=self._mass.T, mode="clip")

    def _set_goal(self, delta: np.ndarray) -> None:
        """`OperationalSpaceController.set_goal`, relative to the pose last seen."""
        controller = self._controller
        controller.ee_pos = self._position.copy()
        controller.ee_ori_mat = self._rotation.copy()
        # Or the controller would compute the whole state once more.
        controller.new_update = False
        controller.set_goal(delta)
        self._goal_position, self._goal_rotation = controller.goal_pos, controller.goal_ori

    def _torques(self) -> np.ndarray:
        """`OperationalSpaceController.run_controller`, clipped to the actuators' range."""
        offset = (self._goal_position - self._position) * self._force_gains
        force = offset + -self._linear_velocity * self._force_damping
        turn = self._orientation_error(self._goal_rotation, self._rotation) * self._torque_gains
        torque = turn + -self._angular_velocity * self._torque_damping
        _, linear, angular, nullspace = self._opspace_matrices(
            self._mass, self._arm_jacobian, self._linear_jacobian, self._angular_jacobian
        )
        self._wrench[:3] = linear.dot(force)
        self._wrench[3:] = angular.dot(torque)
        torques = self._arm_jacobian.T.dot(self._wrench) + self._arm_bias
        torques += self._nullspace_torques(
            self._mass, nullspace, self._controller.initial_joint, self._joint_positions, self._joint_velocities
        )
        return np.minimum(np.maximum(torques, self._low), self._high)


def consecutive(indices: Sequence[int]) -> slice:
    """`indices` as a slice, so that indexing gives a view; joints and actuators of a LIBERO robot follow each other."""
    first = indices[0]
    if list(indices) != list(range(first, first + len(indices))):
        raise ValueError(f"Cannot view the indices {list(indices)}: they do not follow each other")
    return slice(first, first + len(indices))


def mass_indices(model: mujoco.MjModel, dofs: slice) -> np.ndarray:
    """Where the mass matrix of `dofs`, a chain of joints, lies within `MjData.qM`, [n, n]."""
    address = {}
    chain = range(dofs.start, dofs.stop)
    for dof in chain:
        ancestor, at = dof, int(model.dof_Madr[dof])
        while ancestor >= 0:
            address[dof, ancestor] = address[ancestor, dof] = at
            ancestor, at = int(model.dof_parentid[ancestor]), at + 1
    return np.array([[address[row, column] for column in chain] for row in chain])
