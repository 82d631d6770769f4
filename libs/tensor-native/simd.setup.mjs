import { inject } from "vitest";
import { loadNative } from "./src/index.js";

// The addon's choice holds for the whole process, so the tests need to know nothing of it.
const native = loadNative();
if (!("addon" in native)) throw new Error(native.reason);
native.addon.configure({ simd: inject("simd") });
