import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { createZstdFrames } from "./zstd-frames.js";

/** What libzstd makes of it at once: size in the head, no checksum. */
const WHOLE = Buffer.from("28b52ffd20dc9500005868656c6c6f20776f726c6401004e53c50b", "hex");
/** A frame by hand: a window, a block of 4 raw bytes, a last block of one byte 200,000 times, a checksum. */
const BY_HAND = Buffer.from([
  ...[0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58],
  ...[0x20, 0, 0, 1, 2, 3, 4],
  ...[0x03, 0x6a, 0x18, 9],
  ...[1, 2, 3, 4],
]);
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7]);

describe("createZstdFrames()", () => {
  const pass = (bytes: Buffer, chunkSize: number) => {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += chunkSize)
      chunks.push(bytes.subarray(at, at + chunkSize));
    const frames = createZstdFrames();
    const source = Readable.from(chunks);
    source.on("error", (error) => frames.destroy(error));
    return buffer(source.pipe(frames));
  };

  it("passes whole frames on as they are, however the bytes arrive", async () => {
    const several = Buffer.concat([WHOLE, SKIPPABLE, BY_HAND, WHOLE]);
    for (const bytes of [WHOLE, BY_HAND, several]) {
      for (const size of [1, 2, 5, 1000])
        expect((await pass(bytes, size)).equals(bytes)).toBe(true);
    }
  });

  it("tells a file that was cut off, wherever that was, and where it ends", async () => {
    for (const bytes of [WHOLE, BY_HAND, SKIPPABLE]) {
      for (let end = 0; end < bytes.length; end++) {
        const cut = Buffer.concat([WHOLE, bytes.subarray(0, end)]);
        if (end === 0) continue; // after a whole frame a file may end
        await expect(pass(cut, 7)).rejects.toThrow(`it ends too early, at byte ${cut.length}`);
      }
    }
    await expect(pass(Buffer.alloc(0), 1)).rejects.toThrow("it ends too early, at byte 0");
  });

  it("names the place of what is no frame", async () => {
    const more = Buffer.concat([WHOLE, Buffer.from("garbage")]);
    await expect(pass(more, 3)).rejects.toThrow(`no frame begins at byte ${WHOLE.length}`);
  });
});
