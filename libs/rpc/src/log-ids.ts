import type { Metadata } from "@grpc/grpc-js";

/** What a call is for; in every log line of the server that serves it. */
export interface CallIds {
  runId?: string;
  taskId?: string;
}

const KEYS = { runId: "stagecraft-run-id", taskId: "stagecraft-task-id" } as const;
/** Printable ASCII, as metadata allows, and short: a log line is no place for a foreign text. */
const ACCEPTABLE = /^[\x21-\x7e]{1,128}$/;

/** `CallOptions.metadata` that carries the ids; those that metadata cannot carry are left out. */
export function idMetadata(ids: CallIds): Record<string, string> {
  const names = Object.keys(KEYS) as (keyof CallIds)[];
  return Object.fromEntries(
    names.flatMap((name) => (ACCEPTABLE.test(ids[name] ?? "") ? [[KEYS[name], ids[name]!]] : [])),
  );
}

/** The ids of a call that came with some. */
export function idsOf(metadata: Metadata): CallIds {
  const text = (name: keyof CallIds) => metadata.get(KEYS[name])[0]?.toString() ?? "";
  const [runId, taskId] = [text("runId"), text("taskId")];
  return {
    ...(ACCEPTABLE.test(runId) ? { runId } : {}),
    ...(ACCEPTABLE.test(taskId) ? { taskId } : {}),
  };
}
