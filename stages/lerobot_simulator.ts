/**
 * What LeRobot, and the world its policy acts in, are on this machine now. No module imports this one: stages/lerobot_settings.ts
 * names it to the lab as the simulator of the stages that use LeRobot.
 */
import * as install from "./lerobot_install.ts";
import type { ActingSettings, BridgeSettings } from "./lerobot_settings.ts";
import * as libero from "./libero_world.ts";
import { checked, type SimulatorCheck } from "./simulator_check.ts";

const worldOf = (settings: ActingSettings | BridgeSettings) =>
  "world" in settings ? settings.world : undefined;

/**
 * Versions of the packages, the bridge's code, and what decides the simulator's bytes.
 *
 * @throws {Error} when one of them is not here; the message names the mend
 */
export function fingerprint(settings: ActingSettings | BridgeSettings) {
  const world = worldOf(settings);
  const simulator = world?.name === "libero" ? { libero: libero.fingerprint(world) } : {};
  return { ...simulator, lerobot: install.fingerprint() };
}

/** LeRobot and the world in one line for reports. */
export function describe(settings: ActingSettings | BridgeSettings): string {
  const world = worldOf(settings);
  const policy = `a LeRobot policy on ${settings.device}`;
  if (!world) return policy;
  return `${world.name === "libero" ? libero.describe(world) : `the ${world.name} with images`}; ${policy}`;
}

/** What `exp doctor` tells of them: LeRobot's environment, then the world. */
export function checks(settings: ActingSettings | BridgeSettings): SimulatorCheck[] {
  const lerobot = checked("lerobot", "deno task setup:lerobot", () => {
    const { packages } = install.fingerprint();
    return `lerobot ${packages.lerobot}, torch ${packages.torch}`;
  });
  const world = worldOf(settings);
  return [lerobot, ...world?.name === "libero" ? libero.checks(world) : []];
}
