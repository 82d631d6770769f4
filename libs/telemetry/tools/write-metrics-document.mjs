// Writes docs/metrics.md from the built package: npm run docs:metrics
import { writeFile } from "node:fs/promises";
import { metricsDocument } from "../dist/index.js";

await writeFile(new URL("../../../docs/metrics.md", import.meta.url), metricsDocument());
