import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSigner } from "../../../test/test-provider.js";
import { verifyIdToken } from "./id-token.js";

const NOW = new Date("2026-01-01T00:00:00Z");
const SECONDS = NOW.getTime() / 1000;
const EXPECTED = { issuer: "https://a.example", clientId: "me", nonce: "n", now: NOW };
const CLAIMS = {
  ...{ iss: "https://a.example", aud: "me", nonce: "n", sub: "ann" },
  ...{ iat: SECONDS, exp: SECONDS + 60 },
};
const signer = createSigner();
const check = (claims: object, header: object = {}) =>
  verifyIdToken(signer.sign({ ...CLAIMS, ...claims }, header), [signer.key], EXPECTED);

describe("verifyIdToken()", () => {
  it("gives the claims of a token that fits", () => {
    expect(check({ email: "ann@a.example" })).toMatchObject({ sub: "ann", email: "ann@a.example" });
    expect(check({ aud: ["other", "me"], azp: "me" }).sub).toBe("ann");
  });

  it("takes RS256 and EdDSA too", () => {
    for (const [alg, type, hash] of [
      ["RS256", "rsa", "sha256"],
      ["EdDSA", "ed25519", null],
    ] as const) {
      const { privateKey, publicKey } = generateKeyPairSync(type as "rsa", { modulusLength: 2048 });
      const parts = [{ alg }, CLAIMS].map((part) =>
        Buffer.from(JSON.stringify(part)).toString("base64url"),
      );
      const signature = sign(hash, Buffer.from(parts.join(".")), privateKey).toString("base64url");
      const key = publicKey.export({ format: "jwk" });
      expect(verifyIdToken([...parts, signature].join("."), [key], EXPECTED).sub).toBe("ann");
    }
  });

  const wrong: [says: string, claims: object, header?: object][] = [
    ["is of the issuer", { iss: "https://b.example" }],
    ["for another client", { aud: "you" }],
    ["given to another client", { aud: ["me", "you"], azp: "you" }],
    ["given to another client", { aud: ["me", "you"] }],
    ["has expired", { exp: SECONDS - 61 }],
    ["has expired", { exp: undefined }],
    ["is of the future", { iat: SECONDS + 61 }],
    ["(nonce)", { nonce: "m" }],
    ["(nonce)", { nonce: undefined }],
    ["names nobody", { sub: "" }],
    ["names nobody", { sub: 7 }],
    ['signed by "none"', {}, { alg: "none" }],
    ['signed by "HS256"', {}, { alg: "HS256" }],
    ["names no key", {}, { alg: "RS256" }],
    ["names no key", {}, { kid: "two" }],
  ];
  for (const [says, claims, header] of wrong) {
    it(`refuses one that ${says}: ${JSON.stringify({ ...claims, ...header })}`, () => {
      expect(() => check(claims, header)).toThrow(says);
    });
  }

  it("refuses one of another key, a changed one, one without a signature, and none", () => {
    const { key } = createSigner();
    const token = signer.sign(CLAIMS);
    const [head, , signature] = token.split(".");
    const body = Buffer.from(JSON.stringify({ ...CLAIMS, sub: "eve" })).toString("base64url");
    for (const [given, keys] of [
      [token, [key]],
      [`${head}.${body}.${signature}`, [signer.key]],
      [`${head}.${body}.`, [signer.key]],
      [`${head}.${body}`, [signer.key]],
      ["...", [signer.key]],
      ["", [signer.key]],
    ] as const) {
      expect(() => verifyIdToken(given, [...keys], EXPECTED)).toThrow("[unauthenticated]");
    }
  });
});
