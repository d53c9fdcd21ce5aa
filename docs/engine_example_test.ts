import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

Deno.test("docs/engine.md shows the example as it is, and what it prints", async () => {
  const [page, source] = await Promise.all(
    ["engine.md", "engine_example.ts"].map((name) => Deno.readTextFile(here(name))),
  );
  const shown = source!.slice(source!.indexOf("// x: 4 rows"), source!.indexOf("function show")).trimEnd();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", here("engine_example.ts")],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.ok(page!.includes(`\`\`\`ts\n${shown}\n\`\`\``), "the page shows other code");
  const printed = new TextDecoder().decode(stdout);
  assert.ok(page!.includes(`\`\`\`\n${printed}\`\`\``), `the page shows other output than:\n${printed}`);
});
