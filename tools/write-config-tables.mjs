// Writes the configuration table of every service's README from its schema: npm run docs:config
// (after a build; the services' config tests compare the two).
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describeConfigTable } from "../libs/config/dist/index.js";

const services = new URL("../services/", import.meta.url);
for (const name of readdirSync(services)) {
  const config = new URL(`${name}/dist/config.js`, services);
  if (!existsSync(config)) continue;
  const schema = Object.entries(await import(config.href)).find(([key]) => key.endsWith("Schema"));
  const readme = new URL(`${name}/README.md`, services);
  const text = readFileSync(readme, "utf8");
  const table = /^\| field\b.*\n(\|.*\n)+/m;
  if (!schema || !table.test(text)) continue;
  writeFileSync(
    readme,
    text.replace(table, () => `${describeConfigTable(schema[1])}\n`),
  );
}
