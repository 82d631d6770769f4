import { describe, expect, it } from "vitest";
import { sha256Hex, signRequest } from "./sigv4.js";

// The examples of "Signature Calculations for the Authorization Header", Amazon S3 API reference.
const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const scope = { region: "us-east-1", credentials, now: new Date("2013-05-24T00:00:00Z") };
const HOST = "https://examplebucket.s3.amazonaws.com";
const signatureOf = (request: Parameters<typeof signRequest>[0]) =>
  /Signature=(\w+)$/.exec(signRequest(request, scope)["authorization"]!)?.[1];

describe("signRequest()", () => {
  it("signs AWS's example of a GET with a range", () => {
    const url = new URL(`${HOST}/test.txt`);
    const headers = { Range: "bytes=0-9" };
    expect(signatureOf({ method: "GET", url, headers, payloadSha256: sha256Hex("") })).toBe(
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
  });

  it("signs AWS's example of a PUT, whose key has a $", () => {
    const url = new URL(`${HOST}/test%24file.text`);
    const headers = {
      Date: "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
    };
    const payloadSha256 = sha256Hex("Welcome to Amazon S3.");
    expect(signatureOf({ method: "PUT", url, headers, payloadSha256 })).toBe(
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
  });

  it("signs AWS's examples with a query, with and without a value", () => {
    const payloadSha256 = sha256Hex("");
    const lifecycle = new URL(`${HOST}/?lifecycle`);
    expect(signatureOf({ method: "GET", url: lifecycle, headers: {}, payloadSha256 })).toBe(
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    const list = new URL(`${HOST}/?max-keys=2&prefix=J`);
    expect(signatureOf({ method: "GET", url: list, headers: {}, payloadSha256 })).toBe(
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
  });
});
