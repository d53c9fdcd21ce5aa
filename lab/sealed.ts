/** JSON documents that carry their own digest, so that one flipped byte in them is found. */
import { documentHash, type Json } from "./canonical.ts";

/** The bytes of a sealed document: readable JSON with a `seal` beside it. */
export function seal(document: unknown): Uint8Array {
  const plain = JSON.parse(JSON.stringify(document)) as Json;
  return encode(documentHash(plain), plain);
}

/** The document; undefined when the bytes are not a sealed document or not the one that was sealed. */
export function unseal<T>(bytes: Uint8Array): T | undefined {
  try {
    const { seal, document } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (documentHash(document) !== seal) return undefined;
    // Layout counts, too: a byte that JSON would forgive is still not what was written.
    const written = encode(seal, document);
    const same = written.length === bytes.length && written.every((byte, i) => byte === bytes[i]);
    return same ? document as T : undefined;
  } catch {
    return undefined;
  }
}

function encode(seal: string, document: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ seal, document }, null, 2) + "\n");
}
