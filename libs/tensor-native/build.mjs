#!/usr/bin/env node
// Compiles the addon: `node libs/tensor-native/build.mjs`, in other projects `npx stagecraft-build-native`.
// Does nothing when the sources are those of the last build. Quiet unless it fails; exit code 1 then.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAddon } from "./build-addon.mjs";

await buildAddon({
  title: "native engine",
  dir: dirname(fileURLToPath(import.meta.url)),
  name: "stagecraft_native",
});
