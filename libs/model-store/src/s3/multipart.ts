import { createHash } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import { readPart } from "../local-files.js";
import type { LocalFile, TransferOptions } from "../remote-store.js";
import type { S3Client } from "./s3-client.js";
import { elements, tagText } from "./xml.js";

interface StoredPart {
  etag: string;
  sizeBytes: number;
}

/**
 * Stores a large file in parts. An upload of the same key that was begun before is gone on with: parts whose
 * size and MD5, which S3 gives as ETag, are those of our file are not sent again.
 */
export async function uploadInParts(
  client: S3Client,
  key: string,
  {
    file,
    partBytes,
    headers,
    signal,
    onBytes,
  }: TransferOptions & {
    file: LocalFile;
    partBytes: number;
    headers: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const begun = await findUpload(client, key, signal);
  const uploadId = begun ?? (await beginUpload(client, key, { headers, signal }));
  const stored =
    begun === undefined ? new Map<number, StoredPart>() : await listParts(client, key, uploadId);
  const etags: string[] = [];
  for (let at = 0; at < file.sizeBytes; at += partBytes) {
    const number = etags.length + 1;
    const body = await readPart(file.path, at, Math.min(partBytes, file.sizeBytes - at));
    const md5 = createHash("md5").update(body).digest("hex");
    const present = stored.get(number);
    const isThere = present?.sizeBytes === body.length && present.etag === md5;
    if (!isThere) {
      const query = { partNumber: String(number), uploadId };
      const answer = await client.call({ method: "PUT", key, query, body, signal });
      etags.push(answer.headers.get("etag") ?? "");
    } else etags.push(`"${present.etag}"`);
    onBytes?.(body.length);
  }
  const parts = etags.map(
    (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
  const answer = await client.call({ method: "POST", key, query: { uploadId }, body, signal });
  // S3 may say 200 first and an error afterwards.
  const text = await answer.text();
  if (text.includes("<Error>")) {
    const says = `${tagText(text, "Code") ?? ""}: ${tagText(text, "Message") ?? ""}`;
    throw new StagecraftError("unavailable", `${client.name}/${key} was not put together: ${says}`);
  }
}

async function findUpload(
  client: S3Client,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const query = { uploads: "", prefix: key };
  const asking = client.call({ method: "GET", key: "", query, signal });
  // Not every compatible store can say: then all parts are sent.
  const answer = await asking.catch((thrown: unknown) => {
    if (StagecraftError.from(thrown).code === "unimplemented") return undefined;
    throw thrown;
  });
  const text = (await answer?.text()) ?? "";
  const found = elements(text, "Upload").filter((upload) => tagText(upload, "Key") === key);
  return found.map((upload) => tagText(upload, "UploadId")).at(-1);
}

async function beginUpload(
  client: S3Client,
  key: string,
  {
    headers,
    signal,
  }: { headers: Readonly<Record<string, string>>; signal: AbortSignal | undefined },
): Promise<string> {
  const answer = await client.call({
    method: "POST",
    key,
    query: { uploads: "" },
    headers,
    signal,
  });
  const uploadId = tagText(await answer.text(), "UploadId");
  if (uploadId !== undefined) return uploadId;
  throw new StagecraftError(
    "unimplemented",
    `${client.name} gives no UploadId: no multipart uploads?`,
  );
}

async function listParts(
  client: S3Client,
  key: string,
  uploadId: string,
): Promise<Map<number, StoredPart>> {
  const stored = new Map<number, StoredPart>();
  let marker: string | undefined = "0";
  while (marker !== undefined) {
    const query: Record<string, string> = { uploadId, "part-number-marker": marker };
    const text: string = await (await client.call({ method: "GET", key, query })).text();
    for (const part of elements(text, "Part")) {
      const etag = (tagText(part, "ETag") ?? "").replaceAll('"', "");
      const sizeBytes = Number(tagText(part, "Size"));
      stored.set(Number(tagText(part, "PartNumber")), { etag, sizeBytes });
    }
    const isCut = tagText(text, "IsTruncated") === "true";
    marker = isCut ? tagText(text, "NextPartNumberMarker") : undefined;
  }
  return stored;
}
