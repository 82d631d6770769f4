import * as nodeFileSystem from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** The part of node:fs/promises that libs/checkpoint writes with. */
type FileSystem = Pick<
  typeof nodeFileSystem,
  "open" | "rename" | "rm" | "mkdir" | "readdir" | "readFile" | "stat"
>;

/** What the power cut looks like to the process: every later call fails too. */
export class Crash extends Error {}

const WRITING = ["rename", "rm", "mkdir"] as const;

/**
 * A file system that lets `allowed` changing operations through (open for writing, write, sync,
 * close, rename, rm, mkdir) and fails every one after that. A write that fails leaves half of its
 * bytes, as a torn write does.
 */
export function crashAfter(allowed: number): FileSystem & { operations(): number } {
  let done = 0;
  const pass = () => {
    if (done >= allowed) throw new Crash(`power cut at operation ${done}`);
    done++;
  };
  return { ...intercept(pass), operations: () => done };
}

/** A file system whose disk fills up after `capacityBytes` written bytes; reads still work. */
export function fullAfter(capacityBytes: number): FileSystem {
  let written = 0;
  return intercept((operation, numBytes) => {
    if (operation !== "write") return;
    written += numBytes;
    if (written > capacityBytes) {
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    }
  });
}

type Gate = (operation: string, numBytes: number) => void;

function intercept(gate: Gate): FileSystem {
  const wrapped: Record<string, unknown> = { ...nodeFileSystem };
  for (const name of WRITING) {
    wrapped[name] = async (...args: unknown[]) => {
      gate(name, 0);
      return (nodeFileSystem[name] as (...args: unknown[]) => Promise<unknown>)(...args);
    };
  }
  wrapped["open"] = async (path: string, flags: string) => {
    if (flags !== "r") gate("open", 0);
    return guard(await nodeFileSystem.open(path, flags), gate);
  };
  return wrapped as unknown as FileSystem;
}

function guard(handle: FileHandle, gate: Gate): FileHandle {
  return new Proxy(handle, {
    get(target, key) {
      const member = Reflect.get(target, key) as unknown;
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        if (key === "write") await gatedWrite(target, args, gate);
        if (key === "sync") gate("sync", 0);
        return (member as (...args: unknown[]) => Promise<unknown>).apply(target, args);
      };
    },
  });
}

async function gatedWrite(handle: FileHandle, args: unknown[], gate: Gate): Promise<void> {
  const [chunk, offset, length] = args as [Uint8Array, number, number];
  try {
    gate("write", length);
  } catch (thrown) {
    await handle.write(chunk, offset, Math.floor(length / 2));
    throw thrown;
  }
}
