/** `exp data` as people type it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { exp, temporary } from "./lab_command.ts";

const fixture = "tests/fixtures/lerobot/v21";

Deno.test("exp data converts, checks, takes in and gives back the same files", async () => {
  await using folder = await temporary();
  const at = (name: string) => join(folder.path, name), store = ["--store", at("store"), "--json"];
  const ask = async (...args: string[]) => {
    const { code, stdout, stderr } = await exp(["data", ...args, ...store]);
    return { code, stderr, document: stdout === "" ? undefined : JSON.parse(stdout) };
  };
  const convert = ["convert", fixture, "--out", at("v30"), "--quantiles", "envelope", "--episodes", "1:4"];
  const converted = await ask(...convert);
  assert.deepEqual([converted.code, converted.document.episodes, converted.document.frames], [0, 3, 19]);
  const provenance = JSON.parse(Deno.readTextFileSync(at("v30/meta/provenance.json")));
  assert.deepEqual(provenance, { convertedFrom: fixture, quantiles: "envelope", episodes: [1, 4] });
  assert.deepEqual(await ask(...convert), {
    code: 1,
    stderr: `Cannot write a data set to ${at("v30")}: the folder must not exist yet\n`,
    document: undefined,
  });
  const { code, document } = await ask("check", at("v30"));
  assert.deepEqual([code, document.findings, document.quantiles], [0, [], "envelope"]);

  Deno.mkdirSync(at("v30/.cache"));
  Deno.writeTextFileSync(at("v30/.cache/lock"), "none of the data set");
  const { document: { digest } } = await ask("import", at("v30"));
  assert.equal((await ask("export", digest, "--out", at("back"))).code, 0);
  Deno.removeSync(at("v30/.cache"), { recursive: true });
  const listing = (root: string, inner = ""): string[] =>
    [...Deno.readDirSync(`${root}/${inner}`)].flatMap(({ name, isDirectory }) =>
      isDirectory ? listing(root, `${inner}${name}/`) : [inner + name]
    ).sort();
  assert.deepEqual(listing(at("back")), listing(at("v30")));
  for (const path of listing(at("v30"))) {
    assert.deepEqual(Deno.readFileSync(at(`back/${path}`)), Deno.readFileSync(at(`v30/${path}`)), path);
  }

  const info = JSON.parse(Deno.readTextFileSync(at("v30/meta/info.json")));
  Deno.writeTextFileSync(at("v30/meta/info.json"), JSON.stringify({ ...info, total_frames: 20 }));
  const damaged = await ask("check", at("v30"));
  assert.deepEqual([damaged.code, damaged.document.findings], [1, [{
    severity: "error",
    text: `${at("v30")}/meta/info.json: total_frames is 20, 19 frames are in the list of episodes`,
  }]]);
});

Deno.test("exp data says in one line what it lacks", async () => {
  await using folder = await temporary();
  const store = ["--store", join(folder.path, "store")], digest = `sha256:${"a".repeat(64)}`;
  const cases: [string[], number, string][] = [
    [["check", join(folder.path, "none")], 1, "it must be a folder that can be read"],
    [["convert", fixture], 2, "Cannot write a data set nowhere: give --out a new folder"],
    [
      ["export", digest, "--out", join(folder.path, "x")],
      2,
      `Cannot export ${digest}: the store has no such object`,
    ],
  ];
  for (const [args, code, text] of cases) {
    const ended = await exp(["data", ...args, ...store]);
    assert.equal(ended.code, code, ended.stderr);
    assert.ok(ended.lines.length === 1 && ended.lines[0]!.endsWith(text), ended.stderr);
  }
});
