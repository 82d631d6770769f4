import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";

const BLOCK = 512;
/** What eleven octal digits can say; larger sizes are written in binary, as GNU tar does. */
const MAX_OCTAL = 8 ** 11 - 1;

/** What a header has room for, bytes. */
const [MAX_NAME, MAX_FOLDER] = [100, 155];

/**
 * The plain files of a folder as a tar file (ustar), each as `folder/name`; hidden ones are left out. Throws
 * `failed_precondition`, before the first byte, for a name that is too long and for a link, behind which
 * there may be any file.
 */
export async function* tarOf(dir: string, folder: string): AsyncGenerator<Buffer> {
  const entries = (await readdir(dir, { withFileTypes: true })).filter(
    (each) => !each.name.startsWith("."),
  );
  for (const { name } of entries.filter((each) => each.isSymbolicLink())) {
    throw unfit(join(dir, name), "is a link; put the file itself there");
  }
  const names = entries.filter((each) => each.isFile());
  for (const { name } of names) {
    if (Buffer.byteLength(name) <= MAX_NAME) continue;
    throw unfit(
      join(dir, name),
      `has a name of more than ${MAX_NAME} bytes; give it a shorter one`,
    );
  }
  if (Buffer.byteLength(folder) > MAX_FOLDER) {
    throw unfit(folder, `is longer than ${MAX_FOLDER} bytes`);
  }
  for (const { name } of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = join(dir, name);
    const { size, mtimeMs } = await stat(file);
    yield header({ name, folder, size, modifiedAt: Math.floor(mtimeMs / 1000) });
    let numRead = 0;
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      numRead += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (numRead !== size) throw new Error(`${file} changed while it was read`);
    yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function unfit(what: string, why: string): StagecraftError {
  return new StagecraftError("failed_precondition", `the model cannot be sent: ${what} ${why}`);
}

interface Entry {
  name: string;
  folder: string;
  size: number;
  modifiedAt: number;
}

function header({ name, folder, size, modifiedAt }: Entry): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, MAX_NAME);
  block.write(folder, 345, MAX_FOLDER);
  block.write(octal(0o644, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  if (size <= MAX_OCTAL) block.write(octal(size, 12), 124);
  else {
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write(octal(modifiedAt, 12), 136);
  block.write(" ".repeat(8), 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;
