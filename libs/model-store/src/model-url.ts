import { StagecraftError } from "@stagecraft/core";

/** Where a model is, outside of this machine. */
export interface ModelUrl {
  scheme: "s3" | "nats";
  /** Of S3; empty for the broker, whose bucket is the deployment's. */
  bucket: string;
  /** The key prefix, `team/assistant`. */
  name: string;
  /** Set by `@VERSION`; the newest otherwise. */
  version?: string;
}

/** Whether a text names a model in an object store, and no directory. */
export function isModelUrl(text: string): boolean {
  return /^(s3|nats):\/\//.test(text);
}

/** Throws `invalid_argument` for what is neither `s3://BUCKET/NAME` nor `nats://NAME`. */
export function parseModelUrl(text: string): ModelUrl {
  const match = /^(s3|nats):\/\/([^@]+)(?:@([0-9a-f]{16}))?$/.exec(text);
  const scheme = match?.[1] as ModelUrl["scheme"] | undefined;
  const parts = (match?.[2] ?? "").split("/");
  const bucket = scheme === "s3" ? parts.shift()! : "";
  const isName = (part: string) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(part);
  const isGood = scheme && (scheme === "nats" || isName(bucket)) && parts.every(isName);
  if (!isGood || parts.length === 0) throw notAModel(text);
  const version = match?.[3];
  return { scheme, bucket, name: parts.join("/"), ...(version === undefined ? {} : { version }) };
}

/** A store, or a folder of one. */
export interface StoreUrl extends Pick<ModelUrl, "scheme" | "bucket"> {
  /** What names of models there begin with: empty, or `team/`. */
  prefix: string;
}

/** Throws `invalid_argument` for what is none of `s3://BUCKET`, `s3://BUCKET/FOLDER`, `nats://` and `nats://FOLDER`. */
export function parseStoreUrl(text: string): StoreUrl {
  try {
    const { scheme, bucket, name } = parseModelUrl(`${text.replace(/([^/])$/, "$1/")}x`);
    return { scheme, bucket, prefix: name.slice(0, -1) };
  } catch (cause) {
    throw new StagecraftError(
      "invalid_argument",
      `${JSON.stringify(text)} names no store: write s3://BUCKET or nats://, and /FOLDER for a part of it`,
      { cause },
    );
  }
}

/** The URL of a model, with its version if it has one. */
export function formatModelUrl({ scheme, bucket, name, version }: ModelUrl): string {
  const path = bucket === "" ? name : `${bucket}/${name}`;
  return `${scheme}://${path}${version === undefined ? "" : `@${version}`}`;
}

function notAModel(text: string): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(text)} names no model: write s3://BUCKET/NAME or nats://NAME, NAME of letters, digits, ., _, - and /, ` +
      "and @VERSION (16 hex digits) for an older one",
  );
}
