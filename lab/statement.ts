/**
 * An outcome as an in-toto Statement v1 with SLSA's provenance predicate: its outputs are the subject, what its key is
 * made of are parameters and resolved dependencies. It is not signed: whoever exports can wrap it in an envelope.
 */
import type { StageKey } from "./key.ts";
import type { Json } from "./canonical.ts";
import type { Outcome } from "./store.ts";

/** Names the meaning of the predicate's parameters. */
const BUILD_TYPE = "urn:uplift:stage-key:1";

/** The statement of a stage's outcome. */
export function statement({ key, preimage, modules }: StageKey, outcome: Outcome): Json {
  const { parameters, seed, outputs, inputs, packages, runtime, stage, code } = preimage;
  const given = Object.entries(inputs).flatMap(([role, digests]) =>
    [digests].flat().map((digest) => ({ name: `input ${role}`, digest: { sha256: hex(digest) } }))
  );
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: Object.entries(outcome.outputs).map(([name, { digest, mediaType }]) => ({
      name: `${outcome.name}/${name}`,
      digest: { sha256: hex(digest) },
      mediaType,
    })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { stage, parameters, seed, outputs },
        internalParameters: { key, code, runtime },
        resolvedDependencies: [
          ...given,
          // Scripts are hashed as tokens: a comment is no other program.
          ...Object.entries(modules).map(([name, digest]) => ({ name, digest: { upliftModule: digest } })),
          ...Object.entries(packages).map(([id, integrity]) => ({
            uri: packageUrl(id),
            digest: digests(integrity),
          })),
        ],
      },
      runDetails: {
        builder: { id: "urn:uplift:lab" },
        metadata: { invocationId: key, finishedOn: outcome.created },
        byproducts: [{ name: "log", digest: { sha256: hex(outcome.log.digest) } }],
      },
    },
  };
}

const hex = (digest: string) => digest.replace(/^sha256:/, "");

/** "@scope/name@1.2.3_peer@4" of deno.lock as a package URL. */
function packageUrl(id: string): string {
  const at = id.indexOf("@", 1);
  const version = id.slice(at + 1).split("_")[0]!;
  return `pkg:npm/${id.slice(0, at).replace(/^@/, "%40")}@${encodeURIComponent(version)}`;
}

/** "sha512-BASE64" of deno.lock as in-toto writes digests. */
function digests(integrity: string): Record<string, string> {
  const dash = integrity.indexOf("-");
  const bytes = Uint8Array.from(atob(integrity.slice(dash + 1)), (c) => c.charCodeAt(0));
  return {
    [integrity.slice(0, dash)]: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}
