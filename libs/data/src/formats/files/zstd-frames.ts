import { Transform, type TransformCallback } from "node:stream";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * Passes zstd's bytes on and follows its frames (RFC 8878, section 3.1), so that a file that was cut off is
 * told from one that ends: Node's own decoder takes the first for the second [nodejs/node#64592]. Fails with
 * the place, a byte of the packed file.
 */
export function createZstdFrames(): Transform {
  const frames = new Frames();
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      settle(done, () => frames.push(chunk), chunk);
    },
    flush(done) {
      settle(done, () => frames.end());
    },
  });
}

function settle(done: TransformCallback, work: () => void, chunk?: Buffer): void {
  try {
    work();
  } catch (thrown) {
    return done(thrown as Error);
  }
  done(null, chunk);
}

class Frames {
  private offset = 0;
  /** Bytes of contents that need no look. */
  private toSkip = 0;
  /** The head that is being read: of a frame, or of a block in one. */
  private head: number[] = [];
  private isInFrame = false;
  private hasChecksum = false;
  private numFrames = 0;

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const length = this.toSkip > 0 ? Math.min(this.toSkip, chunk.length - at) : 1;
      if (this.toSkip > 0) this.toSkip -= length;
      else this.read(chunk[at]!);
      at += length;
      this.offset += length;
    }
  }

  end(): void {
    const isWhole = !this.isInFrame && this.toSkip === 0 && this.head.length === 0;
    if (!isWhole || this.numFrames === 0)
      throw damaged(`it ends too early, at byte ${this.offset}`);
  }

  private read(byte: number): void {
    this.head.push(byte);
    const isDone = this.isInFrame ? this.readBlockHead() : this.readFrameHead();
    if (isDone) this.head = [];
  }

  private readFrameHead(): boolean {
    const { head } = this;
    if (head.length < 5) return false;
    const magic = numberOf(head.slice(0, 4));
    if (magic - (magic % 16) === SKIPPABLE) {
      if (head.length < 8) return false;
      this.toSkip = numberOf(head.slice(4));
      this.numFrames++;
      return true;
    }
    if (magic !== MAGIC) throw damaged(`no frame begins at byte ${this.offset - 4}`);
    if (head.length < headLength(head[4]!)) return false;
    this.hasChecksum = (head[4]! & 4) !== 0;
    this.isInFrame = true;
    this.numFrames++;
    return true;
  }

  private readBlockHead(): boolean {
    if (this.head.length < 3) return false;
    const head = numberOf(this.head);
    const [isLast, type, size] = [head % 2 === 1, (head >> 1) % 4, head >> 3];
    if (type === RESERVED_BLOCK) throw damaged(`no block begins at byte ${this.offset - 2}`);
    this.toSkip = type === RLE_BLOCK ? 1 : size;
    if (isLast) {
      this.isInFrame = false;
      if (this.hasChecksum) this.toSkip += 4;
    }
    return true;
  }
}

/** Bytes of a frame's head: magic number, descriptor, window, dictionary, size of its contents. */
function headLength(descriptor: number): number {
  const isSingle = (descriptor & 32) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingle) : 2 ** sizeFlag;
  return 5 + Number(!isSingle) + [0, 1, 2, 4][descriptor & 3]! + sizeBytes;
}

/** Little end first. */
const numberOf = (bytes: readonly number[]) =>
  bytes.reduceRight((number, byte) => number * 256 + byte, 0);

const damaged = (reason: string) => Object.assign(new Error(reason), { code: "ZSTD_damaged" });
