import { existsSync, realpathSync } from "node:fs";
import { type ErrorCode, StagecraftError } from "@stagecraft/core";
import { loadAddon, type NamedValue, type XlaAddon } from "./addon.js";
import { DeviceClient } from "./client.js";
import { toPjrtError } from "./errors.js";
import { findCudaTools, HOW_TO_GET_A_PLUGIN } from "./find-plugin.js";
import type { PjrtClient, PjrtOptions } from "./pjrt.js";

/** Options that are real numbers even when they are whole, such as `memory_fraction: 1`. */
const REAL_OPTIONS: readonly string[] = ["memory_fraction"];

/**
 * Opens a plugin and its devices. Throws a StagecraftError that says what to do when the file is missing, is no
 * PJRT plugin, is too old or too new, or finds no device.
 */
export function openPjrt(pluginPath: string, options: PjrtOptions = {}): PjrtClient {
  if (!existsSync(pluginPath)) {
    throw new StagecraftError(
      "not_found",
      `there is no PJRT plugin ${pluginPath}: ${HOW_TO_GET_A_PLUGIN}`,
    );
  }
  const addon = loadAddon();
  try {
    const file = realpathSync(pluginPath); // the plugin finds CUDA's libraries from where it lies itself
    const opened = addon.open(file, namedValues(options.createOptions ?? {}));
    return new DeviceClient(addon, opened, withCudaTools(file, options));
  } catch (error) {
    throw explain(error, addon);
  }
}

/** XLA's compiler for GPUs looks for CUDA's tools where it was built, unless told. */
function withCudaTools(file: string, options: PjrtOptions): PjrtOptions {
  const tools = findCudaTools(file);
  if (tools === undefined) return options;
  const compilerOptions = { xla_gpu_cuda_data_dir: tools, ...options.compilerOptions };
  return { ...options, compilerOptions };
}

function namedValues(options: NonNullable<PjrtOptions["createOptions"]>): NamedValue[] {
  return Object.entries(options).map(([name, value]) => {
    if (typeof value === "string") return [name, "string", value];
    if (typeof value === "boolean") return [name, "bool", value];
    if (typeof value !== "number") return [name, "ints", value];
    const real = REAL_OPTIONS.includes(name) || !Number.isInteger(value);
    return [name, real ? "float" : "int", value];
  });
}

/** What the addon refuses a plugin for, and what to do. */
const REFUSALS: Readonly<Record<string, (addon: XlaAddon) => [ErrorCode, string]>> = {
  ERR_PLUGIN_LOAD: () => [
    "failed_precondition",
    "the plugin does not load. CUDA's libraries come with it when it is installed by " +
      '`pip install "jax-cuda13-plugin[with-cuda]"`, not when one file is copied',
  ],
  ERR_PLUGIN_SYMBOL: () => [
    "invalid_argument",
    "this is no PJRT plugin. It is the file xla_cuda_plugin.so of the wheel jax-cuda13-pjrt that is needed",
  ],
  ERR_PLUGIN_OLD: () => [
    "failed_precondition",
    'the plugin is too old. Install a newer one: `pip install --upgrade "jax-cuda13-plugin[with-cuda]"`',
  ],
  ERR_PLUGIN_NEW: ({ pjrtVersion }) => [
    "failed_precondition",
    `the plugin is too new for an addon of PJRT ${pjrtVersion}. Compile the addon again with its header ` +
      "(`npm run setup -- --xla`), or install an older plugin",
  ],
  ERR_PLUGIN_DEVICES: () => [
    "failed_precondition",
    "no device. Is there a GPU, with its driver, and is it visible (CUDA_VISIBLE_DEVICES)?",
  ],
};

function explain(thrown: unknown, addon: XlaAddon): StagecraftError {
  const { code = "", message } = thrown as NodeJS.ErrnoException;
  const refusal = Object.hasOwn(REFUSALS, code) ? REFUSALS[code]?.(addon) : undefined;
  if (refusal === undefined) return toPjrtError(thrown, "cannot open the PJRT plugin");
  const [kind, advice] = refusal;
  return new StagecraftError(kind, `${message}: ${advice}`, { cause: thrown });
}
