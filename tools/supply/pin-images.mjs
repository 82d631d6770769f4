// `npm run deploy:pin`: asks each registry which digest a tag has now and writes it beside the tag, in
// deploy/. Run it on purpose: it is how an image changes. `--check` changes nothing and says what is open.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pinned, usedImages } from "./images.mjs";
import { digestOf } from "./registry.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const uses = usedImages(root);
if (process.argv.includes("--check")) check();
else await pin();

function check() {
  for (const { file, image, digest } of uses) {
    console.log(`${digest === undefined ? "NOT PINNED" : "pinned"}  ${image}  ${file}`);
  }
  const open = uses.filter(({ digest }) => digest === undefined).length;
  if (open > 0) console.log(`${open} of ${uses.length} open: npm run deploy:pin`);
  process.exitCode = open === 0 ? 0 : 1;
}

async function pin() {
  /** @type {Map<string, string>} */
  const digests = new Map();
  for (const image of new Set(uses.map((use) => use.image))) {
    try {
      digests.set(image, await digestOf(image));
      console.log(`${image}  ${digests.get(image)}`);
    } catch (error) {
      const { message, cause } = /** @type {Error} */ (error);
      console.error(`${image}: ${message}${cause ? ` (${cause})` : ""}; left as it is`);
      process.exitCode = 1;
    }
  }
  for (const file of new Set(uses.map((use) => join(root, use.file)))) {
    const text = readFileSync(file, "utf8");
    const changed = pinned(text, digests);
    if (changed !== text) writeFileSync(file, changed);
  }
}
