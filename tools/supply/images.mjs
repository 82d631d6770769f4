// The images that we build on and run: where they are named, and by which digest.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Files that name images. */
const FILES = ["deploy/images/Dockerfile"];
const FOLDERS = ["deploy/kustomize"];
/** A name from a registry with a tag, perhaps pinned; our own images are built, not fetched. */
const IMAGE =
  /\b(?:docker\.io|ghcr\.io|quay\.io|registry\.k8s\.io|nvcr\.io)\/[\w./-]+:[\w.-]+(?:@sha256:[0-9a-f]{64})?/g;

/**
 * @typedef {object} ImageUse
 * @property {string} file relative to the root
 * @property {string} image name and tag
 * @property {string | undefined} digest `sha256:…` when it is pinned
 */

/**
 * @param {string} root
 * @returns {ImageUse[]}
 */
export function usedImages(root) {
  return [...FILES, ...FOLDERS.flatMap((folder) => filesBelow(root, folder))].flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(IMAGE)].map(([text]) => {
      const [image = "", digest] = text.split("@");
      return { file, image, digest };
    }),
  );
}

/**
 * The text with every image at its digest; those without one stay.
 * @param {string} text
 * @param {ReadonlyMap<string, string>} digests by name and tag
 */
export function pinned(text, digests) {
  return text.replace(IMAGE, (found) => {
    const [image = ""] = found.split("@");
    const digest = digests.get(image);
    return digest === undefined ? found : `${image}@${digest}`;
  });
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
function filesBelow(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}
