import { StagecraftError } from "@stagecraft/core";
import type { PjrtClient, PjrtOptions } from "./pjrt.js";

/**
 * Opens a plugin and its devices. Throws a StagecraftError that says what to do when the file is missing, is no
 * PJRT plugin, is too old or too new, or finds no device.
 */
export function openPjrt(pluginPath: string, _options: PjrtOptions = {}): PjrtClient {
  throw new StagecraftError(
    "failed_precondition",
    `cannot open ${pluginPath}: the addon is not compiled. Run \`npm run setup -- --xla\``,
  );
}
