// `npm run test:interop`: what other tools write is read as they mean it. Needs Python; see python.mjs.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkAdapters } from "./adapters.mjs";
import { checkGguf } from "./gguf.mjs";
import { checkData } from "./data.mjs";
import { checkConfigs, checkModels } from "./models.mjs";
import { checkStages } from "./stages.mjs";
import { checkTemplates } from "./templates.mjs";
import { checkTokenizers } from "./tokenizers.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Every area by name; `npm run test:interop -- data` runs one. */
const AREAS = {
  data: checkData,
  models: checkModels,
  configs: checkConfigs,
  stages: checkStages,
  adapters: checkAdapters,
  gguf: checkGguf,
  tokenizers: checkTokenizers,
  templates: checkTemplates,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in AREAS));
if (unknown.length > 0) {
  console.error(
    `there is no area ${unknown.join(", ")}; choose of ${Object.keys(AREAS).join(", ")}`,
  );
  process.exit(2);
}
const results = [];
for (const [area, check] of Object.entries(AREAS)) {
  if (wanted.length > 0 && !wanted.includes(area)) continue;
  const found = await check(root);
  const checked = found.length > 0 ? found : [{ name: area, problem: "  nothing was checked" }];
  for (const result of checked) {
    const { name, problem, note } =
      /** @type {{ name: string, problem?: string, note?: string }} */ (result);
    const title = note === undefined ? name : `${name}: ${note}`;
    console.log(problem === undefined ? `ok   ${title}` : `FAIL ${title}\n${problem}`);
    results.push(result);
  }
}
const failed = results.filter(({ problem }) => problem !== undefined).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
