import assert from "node:assert/strict";
import type { z } from "zod";
import { openWorld, simulator, world } from "./world.ts";

Deno.test("the tabletop needs no simulator, LIBERO names the module that drives it", () => {
  assert.equal(simulator({ name: "tabletop" }), undefined);
  const settings = world.parse({ name: "libero", suite: "libero_goal" });
  assert.deepEqual(settings, { name: "libero", suite: "libero_goal", protocol: "ours" });
  const named = simulator(settings)!;
  assert.match(named.module, /^file:.*\/stages\/libero_world\.ts$/);
  assert.ok(Deno.statSync(new URL(named.module)).isFile);
});

Deno.test("every stage that can open a world names its simulator by its parameter's schema", async () => {
  let found = 0;
  for await (const { name } of Deno.readDir(new URL("./", import.meta.url))) {
    if (!name.endsWith(".ts") || name.endsWith("_test.ts") || name.endsWith("world.ts")) continue;
    const source = await Deno.readTextFile(new URL(name, import.meta.url));
    if (!/^export const entry\b/m.test(source)) continue;
    const module = await import(new URL(name, import.meta.url).href) as { parameters: z.ZodObject };
    const shape = module.parameters.shape as Readonly<Record<string, z.ZodType>>;
    const named = Object.values(shape).filter((parameter) => parameter.meta()?.simulator !== undefined);
    if (source.includes("openWorld(")) {
      assert.equal(named.length, 1, `parameters of ${name} that name a world`);
    }
    if (!shape.world) continue;
    found++;
    assert.equal(shape.world.meta()?.simulator, simulator, name);
  }
  assert.ok(found >= 5, `only ${found} stages were seen: the walk is broken`);
});

Deno.test("openWorld() of the tabletop says which tasks there are", async () => {
  const { task } = await openWorld({ name: "tabletop" });
  assert.throws(() => task("on_moon"), { message: /^Cannot find task "on_moon": the tabletop has / });
});
