// Writes docs/metrics.md and deploy/monitoring from the built package: npm run docs:metrics
import { mkdir, writeFile } from "node:fs/promises";
import { metricsDocument, monitoringFiles } from "../dist/index.js";

await writeFile(new URL("../../../docs/metrics.md", import.meta.url), metricsDocument());

const monitoring = new URL("../../../deploy/monitoring/", import.meta.url);
await mkdir(new URL("dashboards/", monitoring), { recursive: true });
for (const [name, text] of monitoringFiles()) await writeFile(new URL(name, monitoring), text);
