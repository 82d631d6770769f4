import { StagecraftError } from "@stagecraft/core";
import type { VersionFile } from "@stagecraft/registry";

const BLOCK = 512;
/** What eleven octal digits can say; larger sizes are written in binary, as GNU tar does. */
const MAX_OCTAL = 8 ** 11 - 1;

/** What a header has room for, bytes. */
const [MAX_NAME, MAX_FOLDER] = [100, 155];

/**
 * The files of a model as a tar file (ustar), each as `folder/name`. Throws `failed_precondition`, before the first
 * byte, for a name that is too long.
 */
export async function* tarOf(
  files: readonly VersionFile[],
  folder: string,
): AsyncGenerator<Uint8Array> {
  const long = files.find(({ name }) => Buffer.byteLength(name) > MAX_NAME);
  if (long) {
    throw unfit(long.name, `has a name of more than ${MAX_NAME} bytes; give it a shorter one`);
  }
  if (Buffer.byteLength(folder) > MAX_FOLDER) {
    throw unfit(folder, `is longer than ${MAX_FOLDER} bytes`);
  }
  for (const file of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name, sizeBytes: size, modifiedAtMs } = file;
    yield header({ name, folder, size, modifiedAt: Math.floor(modifiedAtMs / 1000) });
    let numRead = 0;
    for await (const chunk of file.read()) {
      numRead += chunk.length;
      yield chunk;
    }
    if (numRead !== size) throw new Error(`${name} changed while it was read`);
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
