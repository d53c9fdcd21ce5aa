/**
 * `exp data`: LeRobot data sets checked, converted to version 3.0, taken into the store, and unpacked from it. Policies (a folder
 * pretrained_model) and tokenizers are taken in and unpacked too.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { packTar, unpackTar } from "../data/tar.ts";
import { checkDataset } from "../data/lerobot_check.ts";
import { convertDataset } from "../data/lerobot_convert.ts";
import { LeRobotDataset } from "../data/lerobot_read.ts";
import { UsageError } from "../lab/errors.ts";
import { findSubject } from "../lab/subject.ts";
import { oneRequest, type RequestOptions, type Session } from "./session.ts";
import { size } from "./table.ts";

/** What `exp data` can do. */
export type DataAction = "check" | "convert" | "import" | "export";

/** Options of `exp data` alone. */
export interface DataOptions extends RequestOptions {
  readonly out?: string | undefined;
  readonly quantiles: string;
  readonly episodes?: string | undefined;
}

/** Does one of them; the code is 1 where a check found errors. */
export async function dataCommand(
  action: DataAction,
  subject: string,
  options: DataOptions,
  session: Session,
): Promise<number> {
  switch (action) {
    case "check":
      return await check(subject, session);
    case "convert":
      return await convert(subject, options, session);
    case "import":
      return await takeIn(subject, session);
    case "export":
      return await unpack(subject, options, session);
  }
}

async function check(path: string, { json }: Session): Promise<number> {
  const { findings, episodes, frames, quantiles = null } = await checkDataset(path);
  const errors = findings.filter(({ severity }) => severity === "error").length;
  if (json) console.log(JSON.stringify({ path, episodes, frames, quantiles, findings }, null, 2));
  else {
    for (const { severity, text } of findings) console.log(`${severity}: ${text}`);
    const rule = quantiles === null
      ? "no quantiles to compare"
      : quantiles === "both" || quantiles === "neither"
      ? `quantiles agree with ${quantiles} of LeRobot's rules`
      : `quantiles by the rule "${quantiles}"`;
    console.log(`${episodes} episodes, ${frames} frames, ${errors} errors; ${rule}`);
  }
  return errors > 0 ? 1 : 0;
}

async function convert(path: string, options: DataOptions, { json }: Session): Promise<number> {
  const out = wanted(options);
  const { quantiles } = options;
  if (quantiles !== "mean" && quantiles !== "envelope") {
    throw new UsageError(`Cannot combine quantiles by "${quantiles}": give --quantiles mean or envelope`);
  }
  const [, from, to] = /^(\d+):(\d+)$/.exec(options.episodes ?? "0:0") ?? [];
  if (to === undefined) {
    throw new UsageError(`Cannot choose episodes "${options.episodes}": give FROM:TO, e.g. 0:10`);
  }
  const chosen = options.episodes === undefined ? {} : { episodes: [Number(from), Number(to)] as const };
  const more = {
    "meta/provenance.json": JSON.stringify({ convertedFrom: path, quantiles, ...chosen }, null, 2) +
      "\n",
  };
  const done = await convertDataset(path, { out, quantiles, ...chosen, more });
  if (json) console.log(JSON.stringify({ out, quantiles, ...done }, null, 2));
  else {
    for (const note of done.notes) console.log(`note: ${note}`);
    console.log(
      `Wrote ${done.episodes} episodes, ${done.frames} frames, to ${out}; quantiles by the rule "${quantiles}"`,
    );
  }
  return 0;
}

/** Puts a folder into the store as it is, so that its digest can stand in a stage's key. */
async function takeIn(path: string, { store, json }: Session): Promise<number> {
  const model = modelIn(path);
  const { episodes, info } = model
    ? { episodes: [], info: { version: model } }
    : await LeRobotDataset.open(path);
  const file = join(store.writer.directory, `dataset-${crypto.randomUUID()}.tar`);
  let blob;
  try {
    packTar(path, file, (name) => !/(^|\/)\./.test(name)); // caches of hubs are none of it
    blob = store.objects.take(file, store.writer);
  } catch (error) {
    Deno.removeSync(file);
    throw error;
  }
  if (json) {
    const told = model ? { kind: model } : { episodes: episodes.length, version: info.version };
    console.log(JSON.stringify({ ...blob, ...told }, null, 2));
  } else if (model) console.log(`${blob.digest}\n${model}, ${size(blob.bytes)}`);
  else console.log(`${blob.digest}\n${episodes.length} episodes, ${info.version}, ${size(blob.bytes)}`);
  return 0;
}

/** What a folder of LeRobot holds that is no data set: both go into the store as kind "checkpoint". */
function modelIn(path: string): "policy" | "tokenizer" | undefined {
  const has = (name: string) => existsSync(join(path, name));
  if (has("config.json") && has("model.safetensors") && has("policy_preprocessor.json")) return "policy";
  return has("tokenizer_config.json") && !has("meta") ? "tokenizer" : undefined;
}

async function unpack(subject: string, options: DataOptions, session: Session): Promise<number> {
  const out = wanted(options);
  const digest = await digestOf(subject, options, session);
  const { objects } = session.store;
  const path = objects.path(digest);
  const bytes = (() => {
    try {
      return Deno.statSync(path).size;
    } catch {
      throw new UsageError(`Cannot export ${digest}: the store has no such object`);
    }
  })();
  if (objects.check({ digest, bytes }) !== "whole") {
    throw new UsageError(`Cannot export ${digest}: its bytes do not match, run exp fsck`);
  }
  try {
    Deno.mkdirSync(out);
  } catch {
    throw new UsageError(`Cannot export to ${out}: it must be a new folder in one that is there`);
  }
  try {
    unpackTar(path, out);
    const model = modelIn(out);
    if (model) {
      console.log(
        session.json ? JSON.stringify({ out, digest, kind: model }, null, 2) : `Wrote a ${model} to ${out}`,
      );
      return 0;
    }
    const { episodes, info } = await LeRobotDataset.open(out);
    if (session.json) console.log(JSON.stringify({ out, digest, episodes: episodes.length }, null, 2));
    else console.log(`Wrote ${episodes.length} episodes, ${info.version}, to ${out}`);
    return 0;
  } catch (error) {
    Deno.removeSync(out, { recursive: true });
    throw error;
  }
}

/** The data set of a finished stage, or of a digest. */
async function digestOf(subject: string, options: DataOptions, session: Session): Promise<string> {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(subject)) return `sha256:${subject.replace("sha256:", "")}`;
  const slash = subject.indexOf("/");
  const name = slash < 0 ? subject : subject.slice(0, slash),
    stage = slash < 0 ? "" : subject.slice(slash + 1);
  const { stages } = await findSubject(name, await oneRequest(options), session);
  const made = stages.flatMap(({ stage: { name, outputs }, outcome }) =>
    Object.entries(outputs).filter(([, kind]) => kind === "dataset").map(([output]) => ({
      name,
      digest: outcome?.outputs[output]?.digest,
    }))
  ).filter((each) => stage === "" || each.name === stage);
  const [only, ...others] = made;
  if (!only) {
    throw new UsageError(`Cannot export a data set of "${subject}": no stage of that name makes one`);
  }
  if (others.length > 0) {
    const names = made.map((each) => `${name}/${each.name}`).join(", ");
    throw new UsageError(`Cannot export a data set of "${subject}": name one of ${names}`);
  }
  if (!only.digest) {
    throw new UsageError(`Cannot export ${name}/${only.name}: it is not in the store, run it first`);
  }
  return only.digest;
}

function wanted({ out }: DataOptions): string {
  if (out === undefined) throw new UsageError("Cannot write a data set nowhere: give --out a new folder");
  return resolve(out);
}
