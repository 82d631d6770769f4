import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A key pair of a provider, ES256, and how it signs claims. */
export function createSigner(kid = "one") {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    key: { ...publicKey.export({ format: "jwk" }), kid, use: "sig" },
    sign(claims: object, header: object = {}) {
      const text = `${part({ alg: "ES256", kid, ...header })}.${part(claims)}`;
      const options = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
      return `${text}.${sign("sha256", Buffer.from(text), options).toString("base64url")}`;
    },
  };
}

/** Id and secret of a client, as RFC 6749 has them in the header: each encoded as in forms. */
function shownBy({ headers }: IncomingMessage): string {
  const pair = Buffer.from(
    (headers.authorization ?? "").replace("Basic ", ""),
    "base64",
  ).toString();
  const parts = pair.split(":").map((part) => new URLSearchParams(`x=${part}`).get("x"));
  return JSON.stringify(parts);
}

interface Given {
  clientId: string;
  challenge: string;
  redirectUri: string;
  nonce: string;
}

/** A small OpenID Connect provider: whoever comes is the person of `claims`, and is sent back at once. */
export async function startTestProvider(client: { id: string; secret: string }) {
  let signer = createSigner();
  const codes = new Map<string, Given>();
  let claims: object = {};
  let change: object = {};
  const routes: Record<string, (url: URL, request: IncomingMessage) => unknown> = {
    "/.well-known/openid-configuration": () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize?hint=1`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
    }),
    "/keys": () => ({ keys: [signer.key] }),
    "/token": async (_, request) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      const form = new URLSearchParams(body);
      const given = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? ""); // a code works once
      const verifier = form.get("code_verifier") ?? "";
      const isHis =
        given?.challenge === createHash("sha256").update(verifier).digest("base64url") &&
        given.redirectUri === form.get("redirect_uri");
      const isClient = shownBy(request) === JSON.stringify([client.id, client.secret]);
      if (!given || !isHis || !isClient) return undefined;
      const iat = Math.floor(Date.parse("2026-01-01T00:00:00Z") / 1000);
      const about = { iss: issuer, aud: given.clientId, nonce: given.nonce, iat, exp: iat + 300 };
      return { id_token: signer.sign({ ...about, ...claims, ...change }) };
    },
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", issuer);
    if (url.pathname === "/authorize") {
      const of = (name: string) => url.searchParams.get(name) ?? "";
      const code = randomUUID();
      codes.set(code, {
        ...{ clientId: of("client_id"), challenge: of("code_challenge"), nonce: of("nonce") },
        redirectUri: of("redirect_uri"),
      });
      const back = new URL(of("redirect_uri"));
      back.search = new URLSearchParams({ code, state: of("state") }).toString();
      response.writeHead(302, { location: back.href }).end();
      return;
    }
    void Promise.resolve(routes[url.pathname]?.(url, request)).then((answer) => {
      response.writeHead(answer === undefined ? 400 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(answer ?? { error: "invalid_grant" }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    /** Who comes next, and what is wrong about the token that tells it. */
    isNext(next: object, wrong: object = {}) {
      [claims, change] = [next, wrong];
    },
    /** It signs with another key from now on, by the same name. */
    exchangeKey() {
      signer = createSigner();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
