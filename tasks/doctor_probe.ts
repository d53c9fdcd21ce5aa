/** Loads one native or WebAssembly library in a process of its own, for `exp doctor`: a crash there is an answer. */

const probes: Record<string, () => Promise<string>> = {
  async onnxruntime() {
    const { env, listSupportedBackends } = await import("onnxruntime-node");
    const backends = listSupportedBackends().map(({ name }) => name).join(", ");
    return `${env.versions.common ?? "loaded"}, providers: ${backends}`;
  },
  async mujoco() {
    const { default: load } = await import("@mujoco/mujoco");
    const mujoco = await load();
    return `WebAssembly, MuJoCo ${mujoco.mj_versionString()}`;
  },
};

console.log(await probes[Deno.args[0]!]!());
Deno.exit(0);
