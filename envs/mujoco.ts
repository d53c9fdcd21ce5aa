/** MuJoCo in WebAssembly: a compiled model with its state, and typed views on the arrays that the tabletop reads. */
import loadMujoco, { type MainModule, type MjData, type MjModel } from "@mujoco/mujoco";

let library: Promise<MainModule> | undefined;
/** Compiled models by their MJCF text, kept for the life of the process: there are as many as tasks. */
const models = new Map<string, MjModel>();

/** Live views into the simulation's memory; void as soon as the heap grows (see {@link Simulation.views}). */
export interface Views {
  /** Joint positions, [nq]. */
  readonly qpos: Float64Array;
  /** Joint velocities, [nv]. */
  readonly qvel: Float64Array;
  /** Actuator commands, [nu]. */
  readonly ctrl: Float64Array;
  /** Coriolis, centrifugal and gravitational forces, [nv]. */
  readonly bias: Float64Array;
  /** Joint-space inertia: the lower triangle's non-zeros, row by row; see {@link Simulation.inertiaRows}. */
  readonly inertia: Float64Array;
  /** World positions of the joints' anchors, [njnt * 3]. */
  readonly anchors: Float64Array;
  /** World directions of the joints' axes, [njnt * 3]. */
  readonly axes: Float64Array;
  /** World positions of the sites, [nsite * 3]. */
  readonly sitePositions: Float64Array;
  /** Row-major rotation matrices of the sites in the world, [nsite * 9]. */
  readonly siteRotations: Float64Array;
  /** Per body: 0 asleep, 1 awake, -1 static. Contacts among sleeping bodies are not computed. */
  readonly awake: Int32Array;
}

/**
 * A model and its state. Between calls everything that depends on positions and velocities (kinematics, contacts,
 * inertia, bias forces) is up to date, so a controller may read it and write `ctrl` before {@link advance}.
 */
export class Simulation {
  readonly #mujoco: MainModule;
  readonly #model: MjModel;
  readonly #data: MjData;
  #views: Views;
  /** Where each row of the lower triangle starts in `views.inertia`, [nv]. */
  readonly inertiaRows: Int32Array;
  /** The body that each geom belongs to, [ngeom]. */
  readonly geomBodies: Int32Array;

  private constructor(mujoco: MainModule, model: MjModel) {
    this.#mujoco = mujoco;
    this.#model = model;
    this.#data = new mujoco.MjData(model);
    this.#views = this.#fetchViews();
    this.inertiaRows = Int32Array.from(model.M_rowadr as Int32Array);
    this.geomBodies = Int32Array.from(model.geom_bodyid as Int32Array);
  }

  /** Compiles an MJCF document (once a process) and makes a fresh state of it. */
  static async open(mjcf: string): Promise<Simulation> {
    const mujoco = await (library ??= loadMujoco());
    let model = models.get(mjcf);
    if (!model) models.set(mjcf, model = mujoco.MjModel.from_xml_string(mjcf));
    return new Simulation(mujoco, model);
  }

  #fetchViews(): Views {
    const data = this.#data;
    return {
      qpos: data.qpos,
      qvel: data.qvel,
      ctrl: data.ctrl,
      bias: data.qfrc_bias,
      inertia: data.M,
      anchors: data.xanchor,
      axes: data.xaxis,
      sitePositions: data.site_xpos,
      siteRotations: data.site_xmat,
      awake: data.body_awake,
    };
  }

  /** The views, fetched again when another simulation's memory made the heap grow and so detached them. */
  get views(): Views {
    if (this.#views.qpos.length === 0) this.#views = this.#fetchViews();
    return this.#views;
  }

  /** The id of a named body. */
  body(name: string): number {
    const id = this.#mujoco.mj_name2id(this.#model, this.#mujoco.mjtObj.mjOBJ_BODY.value, name);
    if (id < 0) throw new Error(`Cannot find body "${name}" in the model`);
    return id;
  }

  /** Back to the model's initial state, without any memory of what was simulated before. */
  reset(): void {
    this.#mujoco.mj_resetData(this.#model, this.#data);
  }

  /** Brings what depends on positions and velocities up to date after they were written. */
  update(): void {
    this.#mujoco.mj_step1(this.#model, this.#data);
  }

  /** One time step under the present `ctrl`. */
  advance(): void {
    this.#mujoco.mj_step2(this.#model, this.#data);
    this.#mujoco.mj_step1(this.#model, this.#data);
  }

  /** Calls `visit` with the bodies of every contact. Costs microseconds a contact: not for every time step. */
  forEachContact(visit: (body1: number, body2: number) => void): void {
    const contacts = this.#data.contact;
    for (let i = 0; i < contacts.size(); i++) {
      const contact = contacts.get(i)!;
      visit(this.geomBodies[contact.geom1]!, this.geomBodies[contact.geom2]!);
      contact.delete();
    }
    contacts.delete();
  }

  /** Frees the state; the compiled model stays for the next one. */
  [Symbol.dispose](): void {
    this.#data.delete();
  }
}
