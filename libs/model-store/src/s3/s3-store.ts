import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { readPart } from "../local-files.js";
import type { LocalFile, RemoteStore, TransferOptions } from "../remote-store.js";
import { uploadInParts } from "./multipart.js";
import { createS3Client, type S3Options } from "./s3-client.js";
import { createS3States } from "./s3-states.js";
import { elements, tagText } from "./xml.js";

export interface S3StoreOptions extends S3Options {
  /** Larger files go in parts of this size; default 32 MiB, S3 takes no less than 5. */
  partBytes?: number;
}

const DEFAULT_PART_BYTES = 32 * 1024 ** 2;
/** S3's bound is 10,000. */
const MAX_PARTS = 9000;
/** Where the hash of an object's content stands. */
const SHA256_HEADER = "x-amz-meta-sha256";

/** Models in a bucket of S3, or of what is compatible with it. */
export function createS3Store(options: S3StoreOptions): RemoteStore {
  const client = createS3Client(options);
  const { partBytes = DEFAULT_PART_BYTES } = options;
  const head = (key: string) => missingAs(undefined, client.call({ method: "HEAD", key }));

  const upload = async (key: string, file: LocalFile, how: TransferOptions) => {
    const present = await head(key);
    if (present && isSame(present, file)) return how.onBytes?.(file.sizeBytes);
    const headers = { [SHA256_HEADER]: file.sha256 };
    if (file.sizeBytes > partBytes) {
      const size = Math.max(partBytes, Math.ceil(file.sizeBytes / MAX_PARTS));
      return uploadInParts(client, key, { ...how, file, partBytes: size, headers });
    }
    const body = await readPart(file.path, 0, file.sizeBytes);
    await client.call({ method: "PUT", key, headers, body, signal: how.signal });
    how.onBytes?.(body.length);
  };
  return {
    name: client.name,
    async read(key) {
      const answer = await missingAs(undefined, client.call({ method: "GET", key }));
      return answer && new Uint8Array(await answer.arrayBuffer());
    },
    async write(key, body) {
      await client.call({ method: "PUT", key, body });
    },
    ...createS3States(client),
    makeRoom: () => Promise.resolve(),
    upload,
    async *download(key, from, { signal }) {
      const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      const answer = await client.call({ method: "GET", key, headers, signal });
      if (from > 0 && answer.status !== 206) throw noRange(client.name);
      // Node's streams can be read so; the types of the browser's, which fetch has, do not know it.
      const body = answer.body as AsyncIterable<Uint8Array> | null;
      try {
        for await (const chunk of body ?? []) yield chunk;
      } catch (thrown) {
        throwIfAborted(signal);
        throw wasCut(client.name, thrown);
      }
    },
    async list(prefix) {
      const keys: string[] = [];
      for (let token: string | undefined = ""; token !== undefined;) {
        const query = {
          ...{ "list-type": "2", prefix },
          ...(token === "" ? {} : { "continuation-token": token }),
        };
        const text: string = await (await client.call({ method: "GET", key: "", query })).text();
        keys.push(...elements(text, "Contents").map((each) => tagText(each, "Key") ?? ""));
        token = tagText(text, "NextContinuationToken");
      }
      return keys;
    },
    async remove(key) {
      await missingAs(undefined, client.call({ method: "DELETE", key }));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function isSame({ headers }: Response, { sizeBytes, sha256 }: LocalFile): boolean {
  return (
    Number(headers.get("content-length")) === sizeBytes && headers.get(SHA256_HEADER) === sha256
  );
}

function missingAs<T>(instead: T, calling: Promise<Response>): Promise<Response | T> {
  return calling.catch((thrown: unknown) => {
    const { code, details } = StagecraftError.from(thrown);
    if (code === "not_found" && details["key"] !== "") return instead;
    throw thrown;
  });
}

function noRange(name: string): StagecraftError {
  return new StagecraftError("unimplemented", `${name} gives no parts of an object (Range)`);
}

function wasCut(name: string, cause: unknown): StagecraftError {
  const { message } = ((cause as Error).cause ?? cause) as Error;
  return new StagecraftError("unavailable", `${name} cut the connection (${message})`, {
    cause,
  });
}
