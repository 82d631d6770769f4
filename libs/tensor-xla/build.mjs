#!/usr/bin/env node
// Compiles the addon: `node libs/tensor-xla/build.mjs FOLDER`, FOLDER with `pjrt_c_api.h` of a release of XLA.
// `npm run setup -- --xla` finds that folder. Does nothing when nothing has changed; exit code 1 when it fails.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAddon } from "../tensor-native/build-addon.mjs";

const include = resolve(process.argv[2] ?? ".");
const header = join(include, "pjrt_c_api.h");
if (existsSync(header)) {
  await buildAddon({
    title: "PJRT addon",
    dir: dirname(fileURLToPath(import.meta.url)),
    name: "stagecraft_xla",
    gypArgs: [`--pjrt_include=${include}`],
    headers: [header],
  });
} else {
  console.error(
    `PJRT addon not built: there is no ${header}; \`npm run setup -- --xla\` finds one`,
  );
  process.exitCode = 1;
}
