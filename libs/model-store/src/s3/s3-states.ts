import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { RemoteStore } from "../remote-store.js";
import type { S3Client } from "./s3-client.js";

/**
 * Objects that several write, by S3's conditional writes: `If-Match` with the ETag that was read. Not every
 * compatible store looks at these headers, and Ceph's (16) compares the ETag without the quotes that it has itself:
 * before the first writing it is tried whether this one does, and how.
 */
export function createS3States(client: S3Client): Pick<RemoteStore, "readState" | "writeState"> {
  let trying: Promise<ETagForm> | undefined;
  return {
    async readState(key) {
      const answer = await client.call({ method: "GET", key }).catch(ifMissing);
      if (!answer) return undefined;
      const content = new Uint8Array(await answer.arrayBuffer());
      return { content, revision: answer.headers.get("etag") ?? "" };
    },
    async writeState(key, body, before) {
      const form = await (trying ??= tryConditions(client, key).catch((thrown: unknown) => {
        trying = undefined; // a store that was away may be tried again
        throw thrown;
      }));
      const headers = before ? { "if-match": form(before.revision) } : ABSENT;
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

/** How the store wants an ETag in `If-Match`. */
type ETagForm = (etag: string) => string;

const FORMS: readonly ETagForm[] = [(etag) => etag, (etag) => etag.replaceAll('"', "")];
const ABSENT = { "if-none-match": "*" };
const OTHER = '"00000000000000000000000000000000"';

/** Writes an object of its own, and looks whether it can be overwritten on these conditions alone. */
async function tryConditions(client: S3Client, state: string): Promise<ETagForm> {
  const key = `${state}.${randomUUID()}`;
  const body = Buffer.from("tried, and removed\n");
  const written = await client.call({ method: "PUT", key, body });
  const etag = written.headers.get("etag") ?? "";
  const refuses = async (headers: Record<string, string>) =>
    await client.call({ method: "PUT", key, headers, body }).then(() => false, isRefusal);
  const missing: string[] = [];
  try {
    if (!(await refuses(ABSENT))) missing.push("if-none-match");
    const form = await findForm(etag, refuses);
    if (!form) missing.push("if-match");
    else if (missing.length === 0) return form;
  } finally {
    await client.call({ method: "DELETE", key });
  }
  throw new StagecraftError(
    "unimplemented",
    `${client.name} does not write on conditions (${missing.join(", ")}): of two who change its registry at once one would be lost; take a store that does, or a registry in a file`,
  );
}

/** The form in which the store refuses another ETag and takes this one. */
async function findForm(
  etag: string,
  refuses: (headers: Record<string, string>) => Promise<boolean>,
): Promise<ETagForm | undefined> {
  for (const form of FORMS) {
    if (!(await refuses({ "if-match": form(OTHER) }))) return undefined;
    if (!(await refuses({ "if-match": form(etag) }))) return form;
  }
  return undefined;
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
