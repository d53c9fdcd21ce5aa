/** RFC 8785 JSON and SHA-256: the one way in which documents get their identity. */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";

/** Plain JSON data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** SHA-256 as 64 hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * The RFC 8785 text of a document.
 *
 * @throws {TypeError} when a value would be lost or changed by JSON: undefined, NaN, ±Infinity, -0, bigint, an object
 *   that is not plain. RFC 8785 itself is silent on some of them and drops others, so two documents could share a text.
 */
export function canonical(document: Json): string {
  guard(document, "$");
  return canonicalize(document)!;
}

/** SHA-256 of the document's RFC 8785 text, as 64 hexadecimal digits. */
export function documentHash(document: Json): string {
  return sha256(canonical(document));
}

function guard(value: unknown, path: string): void {
  const refuse = (what: string) => {
    throw new TypeError(`Cannot hash ${path}: ${what} has no form in canonical JSON`);
  };
  if (value === null || typeof value === "boolean" || typeof value === "string") return;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) refuse(String(value));
    if (Object.is(value, -0)) refuse("-0");
    return;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) guard(value[i], `${path}[${i}]`);
    return;
  }
  if (typeof value !== "object") return refuse(typeof value);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return refuse(prototype.constructor?.name ?? "it");
  }
  for (const [name, child] of Object.entries(value)) guard(child, `${path}.${name}`);
}
