// `npm run sbom [-- FILE]`: what Stagecraft is made of, as CycloneDX JSON: npm's packages with versions,
// licences and hashes by package-lock.json, and the images by name and digest. Needs no network.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { usedImages } from "./images.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * The document; the same for the same lock file and images.
 * @param {string} folder
 */
export function createSbom(folder) {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--offline"];
  const { status, stdout, stderr } = spawnSync("npm", args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`npm sbom failed (npm 10 or newer has it): ${stderr}`);
  const document = JSON.parse(stdout);
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  delete document.serialNumber;
  delete document.metadata.timestamp;
  Object.assign(document.metadata.component, { name, version });
  document.components.push(...images(folder));
  return document;
}

/** @param {string} folder */
function images(folder) {
  const digests = new Map(usedImages(folder).map(({ image, digest }) => [image, digest]));
  return [...digests].map(([image, digest]) => {
    const name = image.slice(0, image.lastIndexOf(":"));
    const version = image.slice(name.length + 1);
    const short = name.slice(name.lastIndexOf("/") + 1);
    const purl = `pkg:oci/${short}${digest ? `@${encodeURIComponent(digest)}` : ""}?repository_url=${name}&tag=${version}`;
    return {
      ...{ "bom-ref": image, type: "container", name, version, purl },
      ...(digest && { hashes: [{ alg: "SHA-256", content: digest.slice("sha256:".length) }] }),
    };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? "stagecraft.cdx.json";
  const sbom = createSbom(root);
  writeFileSync(file, `${JSON.stringify(sbom, undefined, 2)}\n`);
  console.log(`${file}: ${sbom.components.length} components`);
}
