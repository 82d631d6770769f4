import type { FastifyInstance } from "fastify";

/** Scripts and styles come from here alone, nothing is inline, nobody frames the pages. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CSP,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

const HSTS = "max-age=31536000";

/** Security headers on every answer, errors included; what the API says is kept by no cache. */
export function secureHeaders(app: FastifyInstance, { isSecure }: { isSecure: boolean }): void {
  app.addHook("onSend", async (request, reply) => {
    const own = reply.getHeader("content-security-policy"); // of a page that is a file of its own
    reply.headers({ ...HEADERS, ...(own ? { "content-security-policy": own } : {}) });
    if (isSecure) reply.header("strict-transport-security", HSTS);
    if (request.url.startsWith("/api/")) reply.header("cache-control", "no-store");
  });
}
