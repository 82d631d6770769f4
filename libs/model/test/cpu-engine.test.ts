/** The suites of families and generation once more on plain TFJS, where "auto" runs the native engine. */
import { initEngine } from "@stagecraft/tensor";

await initEngine({ engine: "cpu" });
await import("../src/families/families.test.js");
await import("../src/generation/decoder.test.js");
await import("../src/generation/generate.test.js");
await import("../src/generation/generation-engine.test.js");
