/**
 * AWS Signature Version 4 in headers, as S3 and what is compatible with it ask for it.
 * Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API reference; its examples are the
 * test. Departure: the host is signed and sent by fetch itself.
 */
import { createHash, createHmac } from "node:crypto";

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of temporary credentials. */
  sessionToken?: string | undefined;
}

export interface RequestToSign {
  method: string;
  url: URL;
  /** Beside host, x-amz-date and x-amz-content-sha256; all of them are signed. */
  headers: Readonly<Record<string, string>>;
  /** Hex sha256 of the body. */
  payloadSha256: string;
}

export interface SigningScope {
  region: string;
  credentials: S3Credentials;
  now: Date;
}

/** The headers that the request needs, `authorization` among them; without `host`. */
export function signRequest(
  { method, url, headers, payloadSha256 }: RequestToSign,
  { region, credentials, now }: SigningScope,
): Record<string, string> {
  const timestamp = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const date = timestamp.slice(0, 8);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const sent: Record<string, string> = {
    ...lowerCased(headers),
    "x-amz-date": timestamp,
    "x-amz-content-sha256": payloadSha256,
    ...(sessionToken ? { "x-amz-security-token": sessionToken } : {}),
  };
  const signed: [string, string][] = Object.entries({ ...sent, host: url.host });
  signed.sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(";");
  const canonical = [
    method,
    canonicalPath(url),
    canonicalQuery(url),
    ...signed.map(([name, value]) => `${name}:${value.trim().replace(/\s+/g, " ")}`),
    "",
    names,
    payloadSha256,
  ].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", timestamp, scope, sha256Hex(canonical)].join("\n");
  const key = [date, region, "s3", "aws4_request"].reduce<string | Buffer>(
    (secret, text) => createHmac("sha256", secret).update(text).digest(),
    `AWS4${secretAccessKey}`,
  );
  const signature = createHmac("sha256", key).update(toSign).digest("hex");
  const credential = `Credential=${accessKeyId}/${scope}`;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 ${credential},SignedHeaders=${names},Signature=${signature}`,
  };
}

/** Lower-case hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A key as it stands in a path: every byte but letters, digits, -, ., _, ~ and / as %XX. */
export function encodeKey(key: string): string {
  return key.split("/").map(encode).join("/");
}

function canonicalPath({ pathname }: URL): string {
  return pathname
    .split("/")
    .map((part) => encode(decodeURIComponent(part)))
    .join("/");
}

function canonicalQuery({ searchParams }: URL): string {
  const pairs = [...searchParams].map(([name, value]) => [encode(name), encode(value)] as const);
  pairs.sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
