/** The suite of the optimizer once more on plain TFJS, where "auto" runs the native engine. */
import { initEngine } from "../../index.js";

await initEngine({ engine: "cpu" });
await import("../optimizer.test.js");
