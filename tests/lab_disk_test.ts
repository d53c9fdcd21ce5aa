/** What a full and a read-only disk do to a store. Needs a mount, so it runs where the tests are root on Linux. */
import assert from "node:assert/strict";
import { exp, temporary, TINY } from "./lab_command.ts";

async function mount(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("mount", { args, stderr: "null" }).output();
  return success;
}

async function canMount(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  await using folder = await temporary();
  if (!await mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path)) return false;
  await new Deno.Command("umount", { args: [folder.path] }).output();
  return true;
}

const ignore = !await canMount();

/** A small disk of its own, mounted until disposed. */
async function disk(size: string) {
  const folder = await temporary();
  await mount("-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder.path);
  const dispose = async () => {
    await new Deno.Command("umount", { args: [folder.path] }).output();
    await folder[Symbol.asyncDispose]();
  };
  return {
    path: folder.path,
    remount: (options: string) => mount("-o", `remount,${options}`, folder.path),
    [Symbol.asyncDispose]: dispose,
  };
}

Deno.test({
  name: "a full disk: a one-line error, nothing half-written, and the run goes on after it",
  ignore,
}, async () => {
  await using small = await disk("400k");
  const args = [
    "run",
    "tiny-walks",
    ...TINY,
    "--json",
    "--set",
    "learner.steps=20000",
    "--store",
    small.path,
  ];
  const { code, lines, stdout } = await exp(args);
  assert.equal(code, 1);
  const errors = lines.filter((line) => line.startsWith("Cannot"));
  assert.match(
    errors[0]!,
    /^Cannot run stage "(left|right)": cannot write to the store .*: no space is left on the device/,
  );
  assert.equal(JSON.parse(stdout).result, null);
  await small.remount("size=64m");
  assert.equal((await exp(["fsck", "--store", small.path])).code, 0);
  const again = await exp(args);
  assert.equal(again.code, 0, again.stderr);
  await using large = await temporary();
  const undisturbed = await exp([...args.slice(0, -1), large.path]);
  assert.equal(JSON.parse(again.stdout).result, JSON.parse(undisturbed.stdout).result);
});

Deno.test({ name: "a disk that is full from the start: a one-line error", ignore }, async () => {
  await using small = await disk("64k");
  await Deno.writeFile(`${small.path}/filler`, new Uint8Array(2 ** 20)).catch(() => {});
  const { code, lines } = await exp(["run", "tiny-walks", ...TINY, "--store", small.path]);
  assert.equal(code, 1);
  assert.match(lines.join("\n"), /Cannot .*: no space is left on the device/);
  assert.doesNotMatch(lines.join("\n"), /^\s+at /m);
});

Deno.test({
  name: "a read-only store answers what it knows, and says in one line that it cannot do more",
  ignore,
}, async () => {
  await using small = await disk("16m");
  const args = ["run", "tiny-walks", ...TINY, "--store", small.path];
  assert.equal((await exp(args)).code, 0);
  await small.remount("ro");
  const hit = await exp([...args, "--json"]);
  assert.equal(hit.code, 0, hit.stderr);
  assert.ok(JSON.parse(hit.stdout).stages.every(({ state }: { state: string }) => state === "hit"));
  for (const verb of [["list"], ["show", "tiny-walks"], ["why", "tiny-walks/left"]]) {
    const { code, stderr } = await exp([...verb, ...TINY, "--store", small.path]);
    assert.equal(code, 0, `${verb}: ${stderr}`);
  }
  const miss = await exp([...args, "--set", "learner.steps=7"]);
  assert.equal(miss.code, 1);
  assert.match(miss.lines.join("\n"), /^Cannot write to the store .*: the file system is read-only$/m);
  assert.doesNotMatch(miss.stderr, /^\s+at /m);
});

Deno.test(
  { name: "a read-only store without its report: the report is printed, nothing is said", ignore },
  async () => {
    await using small = await disk("16m");
    const args = ["tiny-coins", "--experiments", "tests/lab_reports/", "--store", small.path];
    assert.equal((await exp(["run", ...args])).code, 0);
    await Deno.remove(`${small.path}/reports`, { recursive: true });
    await small.remount("ro");
    for (const verb of ["run", "show"]) {
      const { code, stdout, stderr } = await exp([verb, ...args]);
      assert.deepEqual([code, stderr], [0, ""], verb);
      assert.match(stdout, /\nloaded over control /);
    }
  },
);
