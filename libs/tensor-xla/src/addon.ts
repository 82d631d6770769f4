import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { StagecraftError } from "@stagecraft/core";
import type { PjrtArray } from "./pjrt.js";

/** Of the entries and their arguments: raise it together with ABI in native/addon.cc. */
export const ABI = 2;

/** Handles of the addon: each is freed when it is collected, at the latest. */
export interface ClientHandle {
  readonly __client: never;
}
export interface BufferHandle {
  readonly __buffer: never;
}
export interface ProgramHandle {
  readonly __program: never;
}

export type NamedValue =
  | [name: string, type: "string", value: string]
  | [name: string, type: "bool", value: boolean]
  | [name: string, type: "int" | "float", value: number]
  | [name: string, type: "ints", value: readonly number[]];

export interface CompiledProgram {
  program: ProgramHandle;
  numOutputs: number;
}

/** The functions of the addon. What they throw has a code: ERR_PJRT_<PJRT_Error_Code>, ERR_PLUGIN_*, ERR_DELETED. */
export interface XlaAddon {
  /** Of the header that it was compiled with, such as "0.90". */
  readonly pjrtVersion: string;
  open(
    path: string,
    options: readonly NamedValue[],
  ): {
    client: ClientHandle;
    platform: string;
    version: string;
    pjrtVersion: string;
    /** The variable XLA_FLAGS, which changes what XLA compiles. */
    flags: string;
    devices: { kind: string; description: string }[];
  };
  memoryStats(
    client: ClientHandle,
    device: number,
  ): [inUse: number, peak: number, limit: number] | undefined;
  liveBuffers(client: ClientHandle): number;
  close(client: ClientHandle): void;
  upload(
    client: ClientHandle,
    device: number,
    type: number,
    dims: readonly number[],
    data: PjrtArray,
  ): BufferHandle;
  describeBuffer(buffer: BufferHandle): [type: number, device: number, ...dims: number[]];
  readSync(buffer: BufferHandle, into: PjrtArray): void;
  read(buffer: BufferHandle, into: PjrtArray): Promise<PjrtArray>;
  isDeleted(buffer: BufferHandle): boolean;
  freeBuffer(buffer: BufferHandle): void;
  compile(client: ClientHandle, text: string, options: Uint8Array): CompiledProgram;
  load(client: ClientHandle, serialized: Uint8Array): CompiledProgram;
  serialize(program: ProgramHandle): Buffer | undefined;
  execute(program: ProgramHandle, args: readonly (readonly BufferHandle[])[]): BufferHandle[][];
  freeProgram(program: ProgramHandle): void;
}

/** Where build.mjs puts the compiled addon (the same from src and from dist). */
const ADDON_FILE = fileURLToPath(new URL("../build/stagecraft_xla.node", import.meta.url));
const HOW_TO_BUILD = "Run `npm run setup -- --xla`";

/** Loads the compiled addon; throws `failed_precondition` when there is none or one of another ABI. */
export function loadAddon(file: string = ADDON_FILE): XlaAddon {
  const { abi, ...addon } = requireAddon(file);
  if (abi !== ABI) {
    throw new StagecraftError(
      "failed_precondition",
      `${file} was compiled from other sources: its ABI is ${abi ?? "unnumbered"}, not ${ABI}. ${HOW_TO_BUILD}`,
    );
  }
  return addon;
}

function requireAddon(file: string): XlaAddon & { abi?: number } {
  try {
    return createRequire(import.meta.url)(file) as XlaAddon & { abi?: number };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason =
      code === "MODULE_NOT_FOUND" ? "it is not compiled" : `${file} does not load: ${message}`;
    throw new StagecraftError(
      "failed_precondition",
      `no addon for PJRT plugins: ${reason}. ${HOW_TO_BUILD}`,
      { cause: error },
    );
  }
}
