/**
 * Operational-space pose control (Khatib 1987) with robosuite's `OSC_POSE` gains and scaling. Per time step:
 * force = Lambda_p (kp e - kd v) and torque = Lambda_o (kp e_o - kd w), mapped to the joints by the Jacobian's
 * transpose, plus a posture torque in the null space and the bias forces. The operational inertia Lambda is taken
 * anew once a control step; the goal pose is set once a control step and held.
 */
import type { Simulation } from "./mujoco.ts";
import { expMap, multiply, orientationError } from "./rotation.ts";

/** Arm joints; the controller owns the first 7 degrees of freedom, joints and actuators of the model. */
export const armJoints = 7;
const N = armJoints;

/** Metres and radians of goal displacement at a full stick. */
export const positionScale = 0.05, rotationScale = 0.5;
/** Task-space stiffness (1/s^2), critically damped. */
const stiffness = 150, damping = 2 * Math.sqrt(stiffness);
/** Posture stiffness of the null space (1/s^2), critically damped. */
const postureStiffness = 10, postureDamping = 2 * Math.sqrt(postureStiffness);

/** The controller of one arm whose end effector is site 0. Reads and writes the simulation's views in place. */
export class OperationalSpace {
  readonly #home: readonly number[];
  readonly #rows: Int32Array;
  readonly #torqueLimits: readonly number[];
  readonly #goalPosition = new Float64Array(3);
  readonly #goalRotation = new Float64Array(9);
  readonly #turn = new Float64Array(9);
  readonly #error = new Float64Array(3);
  readonly #jacobian = new Float64Array(6 * N); // rows: linear x, y, z, angular x, y, z
  readonly #solved = new Float64Array(6 * N); // rows of L^-1 J^T, M = L L^T
  readonly #cholesky = new Float64Array(N * N);
  readonly #inverse = new Float64Array(36); // J M^-1 J^T
  readonly #lambda = new Float64Array(36);
  readonly #lambdaPosition = new Float64Array(9);
  readonly #lambdaRotation = new Float64Array(9);
  readonly #block = new Float64Array(9);
  readonly #scratch = new Float64Array(72);
  readonly #twist = new Float64Array(6);
  readonly #wrench = new Float64Array(6);
  readonly #posture = new Float64Array(N);

  /** `home` [7] is the posture (rad) that the null space holds; torques are clipped to +-`torqueLimits` (N m). */
  constructor(simulation: Simulation, home: readonly number[], torqueLimits: readonly number[]) {
    this.#rows = simulation.inertiaRows;
    this.#home = home;
    this.#torqueLimits = torqueLimits;
  }

  /** Sets the goal from the present pose and `action` (world axes, each in [-1, 1]) and takes Lambda anew. */
  aim(simulation: Simulation, action: Float32Array): void {
    const { sitePositions, siteRotations } = simulation.views;
    for (let i = 0; i < 3; i++) this.#goalPosition[i] = sitePositions[i]! + positionScale * action[i]!;
    expMap(rotationScale * action[3]!, rotationScale * action[4]!, rotationScale * action[5]!, this.#turn);
    multiply(this.#turn, siteRotations, 0, this.#goalRotation);
    this.#fillJacobian(simulation);
    this.#fillLambda(simulation);
  }

  /** Writes the arm's torques for the present state to `ctrl`. */
  actuate(simulation: Simulation): void {
    const { qpos, qvel, ctrl, bias, inertia, sitePositions, siteRotations } = simulation.views;
    const J = this.#jacobian, twist = this.#twist, wrench = this.#wrench, posture = this.#posture;
    this.#fillJacobian(simulation);
    applyRows(J, qvel, twist);
    orientationError(this.#goalRotation, siteRotations, 0, this.#error);
    const Lp = this.#lambdaPosition, Lo = this.#lambdaRotation;
    for (let i = 0; i < 3; i++) {
      let force = 0, torque = 0;
      for (let j = 0; j < 3; j++) {
        const error = this.#goalPosition[j]! - sitePositions[j]!;
        force += Lp[3 * i + j]! * (stiffness * error - damping * twist[j]!);
        torque += Lo[3 * i + j]! * (stiffness * this.#error[j]! - damping * twist[3 + j]!);
      }
      wrench[i] = force;
      wrench[3 + i] = torque;
    }
    for (let k = 0; k < N; k++) {
      posture[k] = postureStiffness * (this.#home[k]! - qpos[k]!) - postureDamping * qvel[k]!;
    }
    // Posture torque M a without what it would do to the hand: M a - J^T Lambda J a.
    applyRows(J, posture, twist);
    for (let i = 0; i < 6; i++) {
      let sum = 0;
      for (let j = 0; j < 6; j++) sum += this.#lambda[6 * i + j]! * twist[j]!;
      wrench[i]! -= sum;
    }
    for (let k = 0; k < N; k++) {
      let torque = bias[k]!;
      for (let i = 0; i < 6; i++) torque += J[i * N + k]! * wrench[i]!;
      for (let j = 0; j < N; j++) {
        torque += inertia[j <= k ? this.#rows[k]! + j : this.#rows[j]! + k]! * posture[j]!;
      }
      const limit = this.#torqueLimits[k]!;
      ctrl[k] = torque > limit ? limit : torque < -limit ? -limit : torque;
    }
  }

  /** The end effector's linear (m/s), then angular (rad/s) velocity in the world, [6]. */
  velocity(simulation: Simulation, out: Float64Array): void {
    this.#fillJacobian(simulation);
    applyRows(this.#jacobian, simulation.views.qvel, out);
  }

  #fillJacobian(simulation: Simulation): void {
    const { axes, anchors, sitePositions } = simulation.views;
    const J = this.#jacobian;
    const px = sitePositions[0]!, py = sitePositions[1]!, pz = sitePositions[2]!;
    for (let k = 0; k < N; k++) {
      const ax = axes[3 * k]!, ay = axes[3 * k + 1]!, az = axes[3 * k + 2]!;
      const rx = px - anchors[3 * k]!, ry = py - anchors[3 * k + 1]!, rz = pz - anchors[3 * k + 2]!;
      J[k] = ay * rz - az * ry;
      J[N + k] = az * rx - ax * rz;
      J[2 * N + k] = ax * ry - ay * rx;
      J[3 * N + k] = ax;
      J[4 * N + k] = ay;
      J[5 * N + k] = az;
    }
  }

  /** Lambda = (J M^-1 J^T)^-1, whole and for position and rotation apart. */
  #fillLambda(simulation: Simulation): void {
    const { inertia } = simulation.views;
    const L = this.#cholesky, Y = this.#solved, J = this.#jacobian, A = this.#inverse;
    for (let i = 0; i < N; i++) for (let j = 0; j <= i; j++) L[i * N + j] = inertia[this.#rows[i]! + j]!;
    factor(L, N);
    for (let row = 0; row < 6; row++) {
      for (let i = 0; i < N; i++) {
        let sum = J[row * N + i]!;
        for (let j = 0; j < i; j++) sum -= L[i * N + j]! * Y[row * N + j]!;
        Y[row * N + i] = sum / L[i * N + i]!;
      }
    }
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) {
        let sum = 0;
        for (let k = 0; k < N; k++) sum += Y[i * N + k]! * Y[j * N + k]!;
        A[6 * i + j] = sum;
      }
    }
    for (const [first, out] of [[0, this.#lambdaPosition], [3, this.#lambdaRotation]] as const) {
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 3; j++) this.#block[3 * i + j] = A[6 * (first + i) + first + j]!;
      }
      invert(this.#block, 3, this.#scratch, out);
    }
    invert(A, 6, this.#scratch, this.#lambda);
  }
}

/** out = A x of six rows of length 7. */
function applyRows(A: Float64Array, x: Float64Array, out: Float64Array): void {
  for (let i = 0; i < 6; i++) {
    let sum = 0;
    for (let k = 0; k < N; k++) sum += A[i * N + k]! * x[k]!;
    out[i] = sum;
  }
}

/** In place: the lower Cholesky factor of a symmetric positive definite matrix of which the lower half is read. */
function factor(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      a[i * n + j] = i === j ? Math.sqrt(sum) : sum / a[j * n + j]!;
    }
  }
}

/** out = a^-1 of a symmetric positive definite matrix; `scratch` holds 2 n^2 numbers. */
function invert(a: Float64Array, n: number, scratch: Float64Array, out: Float64Array): void {
  for (let i = 0; i < n * n; i++) scratch[i] = a[i]!;
  factor(scratch, n);
  const W = n * n; // from here: L^-1
  for (let column = 0; column < n; column++) {
    for (let i = 0; i < n; i++) {
      let sum = i === column ? 1 : 0;
      for (let k = 0; k < i; k++) sum -= scratch[i * n + k]! * scratch[W + k * n + column]!;
      scratch[W + i * n + column] = sum / scratch[i * n + i]!;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += scratch[W + k * n + i]! * scratch[W + k * n + j]!;
      out[i * n + j] = sum;
    }
  }
}
