import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

const BLOCK = 512;
/** What eleven octal digits can say; larger sizes are written in binary, as GNU tar does. */
const MAX_OCTAL = 8 ** 11 - 1;

/** The plain files of a folder as a tar file (ustar), each as `prefix/name`; hidden ones are left out. */
export async function* tarOf(dir: string, prefix: string): AsyncGenerator<Buffer> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries.filter((each) => each.isFile() && !each.name.startsWith("."));
  for (const { name } of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = join(dir, name);
    const { size, mtimeMs } = await stat(file);
    yield header(`${prefix}/${name}`, size, Math.floor(mtimeMs / 1000));
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

function header(name: string, size: number, modifiedAt: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100);
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
