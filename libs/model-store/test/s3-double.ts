import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { signRequest, type S3Credentials } from "../src/s3/sigv4.js";

type Condition = "if-match" | "if-none-match";
type How = "kept" | "kept without quotes" | "ignored" | "unknown";

/** What a test sees and does of the double. */
export interface S3Double extends AsyncDisposable {
  readonly url: string;
  /** Content by `bucket/key`. */
  readonly objects: Map<string, { content: Buffer; headers: Record<string, string> }>;
  /** `PUT bucket/key?query` of every call that was let in. */
  readonly calls: string[];
  /** Status codes of calls that are refused before they are looked at, by the first line that matches. */
  readonly failures: { match: RegExp; status: number; times: number }[];
  /** Bytes of an answer after which the connection is cut, once. */
  cutAfterBytes: number | undefined;
  /** What becomes of conditions of writing; not every compatible store keeps both. */
  readonly conditions: Map<Condition, How>;
}

interface Upload {
  key: string;
  headers: Record<string, string>;
  parts: Map<number, Buffer>;
}

/** S3's calls over HTTP as far as we use them: signatures are checked, objects kept in memory. */
export async function startS3Double(options: {
  region: string;
  credentials: S3Credentials;
}): Promise<S3Double> {
  const objects: S3Double["objects"] = new Map();
  const uploads = new Map<string, Upload>();
  const double = {
    ...{ objects, calls: [] as string[], failures: [] as S3Double["failures"], url: "" },
    cutAfterBytes: undefined as number | undefined,
    conditions: new Map<Condition, How>([
      ["if-match", "kept"],
      ["if-none-match", "kept"],
    ]),
  };
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const { method = "", url: path = "" } = request;
      const url = new URL(path, double.url);
      const line = `${method} ${decodeURIComponent(url.pathname.slice(1))}${url.search}`;
      const failure = double.failures.find(({ match, times }) => times > 0 && match.test(line));
      if (failure) failure.times--;
      if (failure) return fail(response, failure.status, "SlowDown");
      const problem = signatureProblem(request, url, body, options);
      if (problem !== undefined) return fail(response, 403, problem);
      double.calls.push(line);
      answer(request, response, { url, body });
    });
  });
  const answer = (
    request: IncomingMessage,
    response: ServerResponse,
    { url, body }: { url: URL; body: Buffer },
  ) => {
    const key = decodeURIComponent(url.pathname.slice(1));
    const query = url.searchParams;
    const meta = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => name.startsWith("x-amz-meta-")),
    ) as Record<string, string>;
    const upload = uploads.get(query.get("uploadId") ?? "");
    const method = request.method;
    if (method === "POST" && query.has("uploads")) {
      const id = `upload-${uploads.size + 1}`;
      uploads.set(id, { key, headers: meta, parts: new Map() });
      return xml(response, `<UploadId>${id}</UploadId>`);
    }
    if (method === "GET" && query.has("uploads")) {
      const prefix = `${key}/${query.get("prefix")}`;
      const mine = [...uploads].filter(([, each]) => each.key.startsWith(prefix));
      const inBucket = (each: string) => each.slice(key.length + 1);
      return xml(
        response,
        mine
          .map(
            ([id, each]) =>
              `<Upload><Key>${inBucket(each.key)}</Key><UploadId>${id}</UploadId></Upload>`,
          )
          .join(""),
      );
    }
    if (query.has("uploadId") && !upload) return fail(response, 404, "NoSuchUpload");
    if (upload && method === "GET") return xml(response, partsXml(upload, query));
    if (upload && method === "PUT") {
      upload.parts.set(Number(query.get("partNumber")), body);
      return void response.writeHead(200, { etag: `"${md5(body)}"` }).end();
    }
    if (upload && method === "POST") {
      const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)</g)].map((m) => Number(m[1]));
      const content = Buffer.concat(numbers.map((number) => upload.parts.get(number)!));
      objects.set(upload.key, { content, headers: upload.headers });
      uploads.delete(query.get("uploadId")!);
      return xml(response, "<CompleteMultipartUploadResult/>");
    }
    if (method === "PUT") {
      const present = objects.get(key);
      const asked = (name: Condition) => {
        const isKept = ["kept", "kept without quotes"].includes(double.conditions.get(name)!);
        return isKept ? request.headers[name] : undefined;
      };
      const isUnknown = [...double.conditions].some(
        ([name, how]) => how === "unknown" && request.headers[name],
      );
      if (isUnknown) return fail(response, 501, "NotImplemented");
      const match = asked("if-match");
      if (match && !present) return fail(response, 404, "NoSuchKey");
      const isBare = double.conditions.get("if-match") === "kept without quotes";
      const quote = isBare ? "" : '"';
      const isOther = match && match !== `${quote}${md5(present!.content)}${quote}`;
      if (isOther || (asked("if-none-match") && present)) {
        return fail(response, 412, "PreconditionFailed");
      }
    }
    if (method === "PUT") {
      objects.set(key, { content: body, headers: meta });
      return void response.writeHead(200, { etag: `"${md5(body)}"` }).end();
    }
    if (method === "DELETE") {
      objects.delete(key);
      return void response.writeHead(204).end();
    }
    if (query.get("list-type") === "2") return xml(response, listXml(objects, key, query));
    const found = objects.get(key);
    if (!found) return fail(response, 404, "NoSuchKey");
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const content = found.content.subarray(from);
    const status = request.headers.range ? 206 : 200;
    const etag = `"${md5(found.content)}"`;
    response.writeHead(status, { ...found.headers, etag, "content-length": content.length });
    const cut = double.cutAfterBytes;
    if (method === "HEAD") return void response.end();
    if (cut === undefined || cut >= content.length) return void response.end(content);
    double.cutAfterBytes = undefined;
    response.write(content.subarray(0, cut), () => setImmediate(() => response.destroy()));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(double, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Why a request is not signed by the credentials; its body is compared with the hash that was signed. */
function signatureProblem(
  request: IncomingMessage,
  url: URL,
  body: Buffer,
  { region, credentials }: { region: string; credentials: S3Credentials },
): string | undefined {
  const { headers, method = "" } = request;
  const payloadSha256 = String(headers["x-amz-content-sha256"]);
  if (createHash("sha256").update(body).digest("hex") !== payloadSha256) return "BadDigest";
  const given = String(headers.authorization);
  const names = /SignedHeaders=([^,]*)/.exec(given)?.[1]?.split(";") ?? [];
  const own = new Set(["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"]);
  const signed = names.filter((name) => !own.has(name));
  const token = headers["x-amz-security-token"];
  const date = String(headers["x-amz-date"]);
  const now = new Date(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (Number.isNaN(now.getTime())) return "AccessDenied";
  const expected = signRequest(
    {
      ...{ method, url, payloadSha256 },
      headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
    },
    {
      ...{ region, now },
      credentials:
        token === undefined ? credentials : { ...credentials, sessionToken: String(token) },
    },
  );
  return given === expected["authorization"] ? undefined : "SignatureDoesNotMatch";
}

/** One part a page, so that paging is seen. */
function partsXml({ parts }: Upload, query: URLSearchParams): string {
  const after = Number(query.get("part-number-marker") ?? 0);
  const next = [...parts].sort(([a], [b]) => a - b).filter(([number]) => number > after);
  const [first] = next;
  if (!first) return "<IsTruncated>false</IsTruncated>";
  const [number, content] = first;
  const part = `<Part><PartNumber>${number}</PartNumber><ETag>&quot;${md5(content)}&quot;</ETag><Size>${content.length}</Size></Part>`;
  const isCut = next.length > 1;
  return `${part}<IsTruncated>${isCut}</IsTruncated><NextPartNumberMarker>${number}</NextPartNumberMarker>`;
}

/** Two keys a page. */
function listXml(objects: S3Double["objects"], bucket: string, query: URLSearchParams): string {
  const prefix = `${bucket}/${query.get("prefix") ?? ""}`;
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const from = Number(query.get("continuation-token") ?? 0);
  const page = keys.slice(from, from + 2).map((key) => key.slice(bucket.length + 1));
  const token =
    from + 2 < keys.length ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : "";
  return page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join("") + token;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function xml(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "application/xml" }).end(`<Result>${text}</Result>`);
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`);
}

const md5 = (content: Uint8Array) => createHash("md5").update(content).digest("hex");
