/** What drives the simulator of orbit.ts: its version is what the environment says. */

/** The simulator's version. */
export function fingerprint(settings: { world: string }) {
  const version = Deno.env.get("UPLIFT_TEST_ORBIT");
  if (version === undefined) throw new Error('Cannot find the orbit simulator: run "install orbit"');
  return { orbit: { version, world: settings.world } };
}

/** A line for reports. */
export function describe({ world }: { world: string }): string {
  return `orbits in ${world}`;
}
