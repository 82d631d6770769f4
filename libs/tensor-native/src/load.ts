import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { ABI } from "./abi.js";
import type { NativeAddon } from "./addon.js";

/** The addon, or why there is none; a missing addon is an expected outcome, not an error. */
export type NativeLoad = { addon: NativeAddon } | { reason: string };

/** Where build.mjs puts the compiled addon (the same from src and from dist). */
const ADDON_FILE = fileURLToPath(new URL("../build/stagecraft_native.node", import.meta.url));

/** Loads the compiled addon, unless it is of another ABI; every worker thread may. */
export function loadNative(file: string = ADDON_FILE): NativeLoad {
  try {
    const addon = createRequire(import.meta.url)(file) as NativeAddon & { abi?: number };
    if (addon.abi !== ABI) return { reason: otherAbi(file, addon.abi) };
    return { addon };
  } catch (error) {
    return { reason: reasonOf(error, file) };
  }
}

function otherAbi(file: string, abi: number | undefined): string {
  return `${file} was compiled from other sources: its ABI is ${abi ?? "unnumbered"}, not ${ABI}`;
}

function reasonOf(error: unknown, file: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "MODULE_NOT_FOUND") return "the addon is not compiled";
  return `${file} does not load: ${message}`;
}
