// `--import crash-point.mjs?{point, nth, signal}`: the process sends itself a signal at one point of
// the nth checkpoint that it writes.
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

const options = JSON.parse(decodeURIComponent(new URL(import.meta.url).search.slice(1)));
const { point, nth = 1, signal = "SIGKILL" } = options;
let seen = 0;

/** @param {string} where */
function reach(where) {
  if (where === point && ++seen === nth) process.kill(process.pid, signal);
}

const isCheckpoint = (/** @type {unknown} */ path) => /\/checkpoints\/step-\d+$/.test(String(path));
const { mkdir, open, rename } = fs;

/** @type {any} */ (fs).mkdir = async (/** @type {any} */ path, /** @type {any} */ how) => {
  if (/^\.step-\d+\..*\.tmp$/.test(basename(String(path)))) reach("before-save");
  return mkdir(path, how);
};
// The manifest is the last file: the others are written.
fs.open = async (path, flags, mode) => {
  if (/\/checkpoints\/\.?step-\d+[^/]*\/manifest\.json$/.test(String(path)) && flags === "wx") {
    reach("mid-write");
  }
  return open(path, flags, mode);
};
fs.rename = async (from, to) => {
  const isPointer = basename(String(to)) === "LATEST";
  const isNew = isCheckpoint(to) && String(from).endsWith(".tmp");
  if (isNew) reach("after-tmp");
  if (isPointer) reach("before-latest");
  await rename(from, to);
  if (isNew) reach("after-rename");
  if (isPointer) reach("before-ack");
};
syncBuiltinESMExports();
