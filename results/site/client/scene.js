/** One 3-D view of an episode: MuJoCo's shapes in three.js, or the stored poses where nothing can be simulated. */
import {
  AmbientLight,
  BoxGeometry,
  CapsuleGeometry,
  Color,
  CylinderGeometry,
  DirectionalLight,
  Matrix4,
  Mesh,
  MeshStandardMaterial,
  PerspectiveCamera,
  Quaternion,
  Scene,
  SphereGeometry,
  SRGBColorSpace,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const [PLANE, SPHERE, CAPSULE, CYLINDER, BOX] = [0, 2, 3, 5, 6];
const UP = new Vector3(0, 0, 1);

/** A view in a canvas; `onChange` hears of a moved camera. Its `show(t)` draws the state before control step t. */
export class View {
  #scene = new Scene();
  #camera = new PerspectiveCamera(38, 4 / 3, 0.05, 20);
  #renderer;
  #controls;
  #pose = () => {};
  #frame = 0;
  #asked = false;

  constructor(canvas) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true });
    this.#renderer.outputColorSpace = SRGBColorSpace;
    this.#camera.up.copy(UP);
    this.#camera.position.set(1.05, -1.05, 0.85);
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.target.set(-0.17, 0.02, 0.2);
    this.#controls.keyPanSpeed = 20;
    this.#controls.listenToKeyEvents(canvas);
    this.#controls.addEventListener("change", () => this.#ask());
    this.#controls.update();
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(0.6, -0.8, 2);
    this.#scene.add(new AmbientLight(0xffffff, 1.3), sun);
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#ask());
  }

  get camera() {
    return this.#camera;
  }

  get controls() {
    return this.#controls;
  }

  /** Shows a replay of the simulation worker. */
  simulated({ geoms, positions, rotations, chain, links }) {
    const meshes = geoms.map((geom) => {
      const mesh = new Mesh(shapeOf(geom), material(geom.colour));
      mesh.matrixAutoUpdate = false;
      this.#scene.add(mesh);
      return mesh;
    });
    const arm = Array.from({ length: links - 1 }, () => {
      const mesh = new Mesh(new CapsuleGeometry(0.035, 1, 6, 16), material([0.82, 0.84, 0.88, 1]));
      this.#scene.add(mesh);
      return mesh;
    });
    const matrix = new Matrix4();
    this.#pose = (t) => {
      meshes.forEach((mesh, i) => {
        const [p, r] = [(t * geoms.length + i) * 3, (t * geoms.length + i) * 9];
        mesh.matrix.copy(matrix.set(
          ...[rotations[r], rotations[r + 1], rotations[r + 2], positions[p]],
          ...[rotations[r + 3], rotations[r + 4], rotations[r + 5], positions[p + 1]],
          ...[rotations[r + 6], rotations[r + 7], rotations[r + 8], positions[p + 2]],
          ...[0, 0, 0, 1],
        ));
      });
      const joint = (i) => new Vector3(...chain.subarray((t * links + i) * 3, (t * links + i) * 3 + 3));
      arm.forEach((mesh, i) => span(mesh, joint(i), joint(i + 1)));
    };
    this.show(0);
  }

  /** Shows stored poses: the hand as a box with two fingers, each object as a box where it stood. */
  stored({ columns }) {
    const names = Object.keys(columns).filter((name) => name.startsWith("object/"));
    const table = new Mesh(new BoxGeometry(1.4, 1.4, 0.02), material([0.72, 0.68, 0.62, 1]));
    table.position.z = -0.01;
    const objects = names.map(() =>
      new Mesh(new BoxGeometry(0.08, 0.08, 0.05), material([0.35, 0.45, 0.6, 1]))
    );
    const hand = new Mesh(new BoxGeometry(0.06, 0.18, 0.06), material([0.85, 0.86, 0.9, 1]));
    hand.matrixAutoUpdate = false;
    this.#scene.add(table, hand, ...objects);
    const row = (name, t) => {
      const { shape, data } = columns[name];
      return data.slice(Math.min(t, shape[0] - 1) * shape[1], (Math.min(t, shape[0] - 1) + 1) * shape[1]);
    };
    this.#pose = (t) => {
      names.forEach((name, i) => {
        const [x, y, z, qw, qx, qy, qz] = row(name, t);
        objects[i].position.set(x, y, z + 0.025);
        objects[i].quaternion.copy(new Quaternion(qx, qy, qz, qw));
      });
      if (!columns.proprioception || !columns.rotation) return;
      const [[x, y, z], r] = [row("proprioception", t), row("rotation", t)];
      hand.matrix.set(r[0], r[1], r[2], x, r[3], r[4], r[5], y, r[6], r[7], r[8], z, 0, 0, 0, 1);
    };
    this.show(0);
  }

  /** Draws the state before control step `t`. */
  show(t) {
    this.#frame = t;
    this.#pose(t);
    this.#ask();
  }

  /** Draws at the browser's next frame, once however often it is asked. */
  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#scene.background = new Color(
        getComputedStyle(document.body).getPropertyValue("--panel").trim() || "#fff",
      );
      this.#renderer.render(this.#scene, this.#camera);
    });
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#renderer.domElement;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.#renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    this.#renderer.setSize(clientWidth, clientHeight, false);
    this.#camera.aspect = clientWidth / clientHeight;
    this.#camera.updateProjectionMatrix();
    this.#ask();
  }
}

/** MuJoCo's sizes are half extents and radii; its cylinders stand along z, three's along y. */
function shapeOf({ type, size: [a, b, c] }) {
  switch (type) {
    case PLANE:
      return new BoxGeometry(2 * (a || 1), 2 * (b || 1), 0.002).translate(0, 0, -0.001);
    case SPHERE:
      return new SphereGeometry(a, 16, 12);
    case CAPSULE:
      return new CapsuleGeometry(a, 2 * b, 8, 20).rotateX(Math.PI / 2);
    case CYLINDER:
      return new CylinderGeometry(a, a, 2 * b, 40).rotateX(Math.PI / 2);
    case BOX:
      return new BoxGeometry(2 * a, 2 * b, 2 * c);
    default:
      return new SphereGeometry(0.01);
  }
}

function material([r, g, b, opacity]) {
  const colour = new Color().setRGB(r, g, b, SRGBColorSpace);
  return new MeshStandardMaterial({ color: colour, roughness: 0.75, opacity, transparent: opacity < 1 });
}

const DIRECTION = new Vector3();
const Y = new Vector3(0, 1, 0);

/** Puts a capsule of unit length between two points. */
function span(mesh, from, to) {
  DIRECTION.subVectors(to, from);
  const length = DIRECTION.length();
  mesh.visible = length > 1e-4;
  mesh.position.addVectors(from, to).multiplyScalar(0.5);
  mesh.quaternion.setFromUnitVectors(Y, DIRECTION.normalize());
  mesh.scale.set(1, length, 1);
}
