import assert from "node:assert/strict";
import { exp, start, temporary } from "../tests/lab_command.ts";

Deno.test("serve refuses another address without a token, a short token, a wrong port: exit 2, one line", async () => {
  const wrong: [string[], RegExp][] = [
    [
      ["--host", "0.0.0.0"],
      /^Cannot listen on 0\.0\.0\.0 without a token: others could read the store, give --token$/,
    ],
    [["--host", "0.0.0.0", "--token", "short"], /^Cannot use so short a token: give at least 16 characters$/],
    [["--port", "99999"], /^Cannot listen on port 99999: give a number from 0 to 65535$/],
  ];
  await using folder = await temporary();
  for (const [args, line] of wrong) {
    const { code, lines } = await exp(["serve", ...args, "--store", `${folder.path}/store`]);
    assert.equal(code, 2, args.join(" "));
    assert.deepEqual(lines.length, 1, lines.join("\n"));
    assert.match(lines[0]!, line);
  }
});

Deno.test("serve listens on the loopback, says where, makes no store, and stops when told to", async () => {
  await using folder = await temporary();
  const store = `${folder.path}/store`;
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  const taken = await exp(["serve", "--store", store, "--port", String(port)]);
  assert.deepEqual([taken.code, taken.lines], [
    2,
    [`Cannot listen on port ${port}: it is taken, give --port another number`],
  ]);
  free.close();
  const server = start(["serve", "--store", store, "--port", String(port), "--json"]);
  let answer: Response | undefined;
  for (let i = 0; i < 150 && !answer; i++) {
    answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (!answer) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.match(await answer!.text(), /Nothing here yet/);
  server.kill("SIGTERM");
  const { code, stdout } = await server.ended;
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { url: `http://127.0.0.1:${port}/`, store });
  await assert.rejects(Deno.stat(store), Deno.errors.NotFound);
});
