/** MuJoCo in WebAssembly: a compiled model with its state, and typed views on the arrays that the tabletop reads. */
import loadMujoco, {
  type DoubleBuffer,
  type IntBuffer,
  type MainModule,
  type MjData,
  type MjModel,
} from "@mujoco/mujoco";

/** Rays longer than this meet nothing (m). */
const farthest = 1e10;

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

/** What rays met, in the order of the rays; views that are void as soon as the heap grows. */
export interface Hits {
  /** The geom of each ray, -1 where it met nothing. */
  readonly geoms: Int32Array;
  /** Distance from the eye in lengths of the ray's direction, -1 where it met nothing. */
  readonly distances: Float64Array;
  /** Outward unit normal of the surface, [rays * 3]. */
  readonly normals: Float64Array;
}

/** Space for the hits of so many rays, in the simulation's memory. */
interface HitBuffers extends Disposable {
  readonly geoms: IntBuffer;
  readonly distances: DoubleBuffer;
  readonly normals: DoubleBuffer;
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
  /** Red, green, blue and opacity of each geom in [0, 1], [ngeom * 4]. */
  readonly geomColors: Float32Array;
  /** By number of rays. */
  readonly #hits = new Map<number, HitBuffers>();

  private constructor(mujoco: MainModule, model: MjModel) {
    this.#mujoco = mujoco;
    this.#model = model;
    this.#data = new mujoco.MjData(model);
    this.#views = this.#fetchViews();
    this.inertiaRows = Int32Array.from(model.M_rowadr as Int32Array);
    this.geomBodies = Int32Array.from(model.geom_bodyid as Int32Array);
    this.geomColors = Float32Array.from(model.geom_rgba as Float32Array);
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

  /**
   * Follows rays from `eye`, [3], along unit `directions`, [rays * 3], to the first geom that each meets. The hits are
   * valid until the next call.
   */
  castRays(eye: Float64Array, directions: Float64Array): Hits {
    const rays = directions.length / 3;
    let buffers = this.#hits.get(rays);
    if (!buffers) this.#hits.set(rays, buffers = this.#allocateHits(rays));
    const { geoms, distances, normals } = buffers;
    this.#mujoco.mj_multiRay(
      this.#model,
      this.#data,
      // NOTE: the binding takes typed arrays, too, and copies them faster than lists.
      eye as unknown as number[],
      directions as unknown as number[],
      null as unknown as number[], // all groups of geoms
      true,
      -1,
      geoms,
      distances,
      normals,
      rays,
      farthest,
    );
    return { geoms: geoms.GetView(), distances: distances.GetView(), normals: normals.GetView() };
  }

  #allocateHits(rays: number): HitBuffers {
    const { IntBuffer, DoubleBuffer } = this.#mujoco;
    const geoms = new IntBuffer(rays),
      distances = new DoubleBuffer(rays),
      normals = new DoubleBuffer(3 * rays);
    const free = () => [geoms, distances, normals].forEach((buffer) => buffer.delete());
    return { geoms, distances, normals, [Symbol.dispose]: free };
  }

  /** Frees the state; the compiled model stays for the next one. */
  [Symbol.dispose](): void {
    for (const buffers of this.#hits.values()) buffers[Symbol.dispose]();
    this.#hits.clear();
    this.#data.delete();
  }
}
