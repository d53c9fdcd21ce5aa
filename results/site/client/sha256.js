/** SHA-256 (FIPS 180-4) under the one form of node:crypto's `createHash` that random streams use, for the page. */

const K = new Uint32Array(64);
const START = new Uint32Array(8);
{
  // Fractional parts of the cube and square roots of the first primes.
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  primes.forEach((p, i) => {
    K[i] = fraction(Math.cbrt(p));
    if (i < 8) START[i] = fraction(Math.sqrt(p));
  });
}

function fraction(x) {
  return Math.floor((x - Math.floor(x)) * 2 ** 32);
}

const turn = (x, n) => (x >>> n) | (x << (32 - n));

/** The 32 bytes of some bytes' hash. */
export function sha256(bytes) {
  const padded = new Uint8Array((((bytes.length + 8) >> 6) + 1) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
  const h = Uint32Array.from(START);
  const w = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i++) {
      const t1 = k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
      const t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [k, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    [a, b, c, d, e, f, g, k].forEach((x, i) => h[i] += x);
  }
  const digest = new Uint8Array(32);
  h.forEach((x, i) => new DataView(digest.buffer).setUint32(4 * i, x));
  return digest;
}

/** As node:crypto's, for "sha256" of one text. */
export function createHash(algorithm) {
  if (algorithm !== "sha256") throw new Error(`Cannot hash with ${algorithm}: the page knows sha256`);
  let bytes = new Uint8Array();
  const hash = {
    update(text) {
      bytes = new TextEncoder().encode(text);
      return hash;
    },
    digest() {
      const digest = sha256(bytes);
      const view = new DataView(digest.buffer);
      return Object.assign(digest, { readUInt32LE: (at) => view.getUint32(at, true) });
    },
  };
  return hash;
}
