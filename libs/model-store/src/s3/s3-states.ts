import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { RemoteStore } from "../remote-store.js";
import type { S3Client } from "./s3-client.js";

/**
 * Objects that several write, by S3's conditional writes: `If-Match` with the ETag that was read. Not every
 * compatible store looks at these headers: before the first writing it is tried whether this one does.
 */
export function createS3States(client: S3Client): Pick<RemoteStore, "readState" | "writeState"> {
  let trying: Promise<void> | undefined;
  return {
    async readState(key) {
      const answer = await client.call({ method: "GET", key }).catch(ifMissing);
      if (!answer) return undefined;
      const content = new Uint8Array(await answer.arrayBuffer());
      return { content, revision: answer.headers.get("etag") ?? "" };
    },
    async writeState(key, body, before) {
      await (trying ??= tryConditions(client, key).catch((thrown: unknown) => {
        trying = undefined; // a store that was away may be tried again
        throw thrown;
      }));
      const headers = before ? { "if-match": before.revision } : ABSENT;
      // 404: it was removed; 409: somebody else is writing it.
      const lost = before ? [404, 409, 412] : [409, 412];
      await client.call({ method: "PUT", key, headers, body }).catch((thrown: unknown) => {
        if (!lost.includes(statusOf(thrown))) throw thrown;
        throw new StagecraftError("aborted", `somebody else wrote ${client.name}/${key}`, {
          cause: thrown,
        });
      });
    },
  };
}

const ABSENT = { "if-none-match": "*" };
const OTHER = { "if-match": '"00000000000000000000000000000000"' };

/** Writes an object of its own, and looks whether it can be overwritten against these conditions. */
async function tryConditions(client: S3Client, state: string): Promise<void> {
  const key = `${state}.${randomUUID()}`;
  const body = Buffer.from("tried, and removed\n");
  await client.call({ method: "PUT", key, body });
  const missing: string[] = [];
  try {
    for (const headers of [ABSENT, OTHER]) {
      const overwriting = client.call({ method: "PUT", key, headers, body });
      if (!(await overwriting.then(() => false, isRefusal))) missing.push(...Object.keys(headers));
    }
  } finally {
    await client.call({ method: "DELETE", key });
  }
  if (missing.length === 0) return;
  throw new StagecraftError(
    "unimplemented",
    `${client.name} does not write on conditions (${missing.join(", ")}): of two who change its registry at once one would be lost; take a store that does, or a registry in a file`,
  );
}

/** Whether the store says that the condition is not met; false where it says that it knows none. */
function isRefusal(thrown: unknown): boolean {
  const status = statusOf(thrown);
  if (status === 412 || status === 501) return status === 412;
  throw thrown;
}

function ifMissing(thrown: unknown): undefined {
  const { code, details } = StagecraftError.from(thrown);
  if (code !== "not_found" || details["key"] === "") throw thrown;
  return undefined;
}

const statusOf = (thrown: unknown) => Number(StagecraftError.from(thrown).details["status"]);
