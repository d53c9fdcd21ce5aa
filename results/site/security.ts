/** Who may ask, and what a page may do: host names, token, methods, Content-Security-Policy. */
import { timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";

/** How the site is reached. */
export interface Access {
  /**
   * Host names, without port, that requests may name; the loopback's by default. "any" is for a site on all addresses of
   * a machine, whose names it cannot know: there the token keeps others out.
   */
  readonly hosts?: readonly string[] | "any";
  /** What a visitor has to know; needed as soon as other machines can reach the site. */
  readonly token?: string;
}

/** Names of the loopback. */
export const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"] as const;

const POLICY = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self' data: blob:",
  "media-src": "'self'",
  "connect-src": "'self'",
  "worker-src": "'self'",
  "form-action": "'self'",
  "frame-ancestors": "'none'",
  "base-uri": "'none'",
} as const;

const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": Object.entries(POLICY).map((each) => each.join(" ")).join("; "),
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
};

/**
 * The policy of the worker that simulates: MuJoCo's bindings make functions of text. A worker has no document, and is
 * given no way out of the machine.
 */
export const WORKER_POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; connect-src 'self'";

const COOKIE = "uplift_token";
const LONGEST_URL = 4096;

/** Refuses what is not a reading request of a known host by somebody who may, and guards every answer. */
export function guard({ hosts = LOOPBACK, token }: Access): MiddlewareHandler {
  if (hosts === "any" && token === undefined) {
    throw new TypeError("Cannot answer for any host without a token");
  }
  return async (c, next) => {
    const refusal = refuse(c, hosts);
    if (refusal) {
      c.res = refusal;
    } else if (token !== undefined && !isKnown(c, token)) {
      const { searchParams, pathname } = new URL(c.req.url);
      if (equal(searchParams.get("token") ?? "", token)) {
        setCookie(c, COOKIE, token, { httpOnly: true, sameSite: "Strict", path: "/" });
        // Out of the address, so that it is neither shown nor passed on.
        c.res = c.redirect(pathname);
      } else c.res = c.text("Cannot show this without the token that exp serve printed\n", 403);
    } else await next();
    for (const [name, value] of Object.entries(HEADERS)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
    if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
  };
}

function refuse(c: Context, hosts: readonly string[] | "any"): Response | undefined {
  if (c.req.method !== "GET" && c.req.method !== "HEAD") {
    return c.text("Cannot change anything here: this site is read only\n", 405, { Allow: "GET, HEAD" });
  }
  if (c.req.url.length > LONGEST_URL) return c.text("Cannot answer so long an address\n", 414);
  // A page of another site may make its own name mean this machine; its requests carry that name.
  const host = (c.req.header("host") ?? new URL(c.req.url).host).replace(/:\d+$/, "").toLowerCase();
  if (hosts !== "any" && !hosts.includes(host)) return c.text("Cannot answer for another host name\n", 421);
  const site = c.req.header("sec-fetch-site");
  if (site === "cross-site" && c.req.header("sec-fetch-mode") !== "navigate") {
    return c.text("Cannot answer another site\n", 403);
  }
  return undefined;
}

const isKnown = (c: Context, token: string) => equal(getCookie(c, COOKIE) ?? "", token);

function equal(a: string, b: string): boolean {
  const [left, right] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
