import { narrowF16 } from "@stagecraft/checkpoint";
import { F16_LIMIT } from "../model-dtype.js";

/** Elements that share one scale; a row has to be made of whole blocks. */
export const Q8_BLOCK = 32;
/** The scale of a block is a float16: values from here on have none. */
export const Q8_LIMIT = 127 * F16_LIMIT;
const BLOCK_BYTES = 2 + Q8_BLOCK;

/** ggml's q8_0: for each block a scale d = max |x| / 127 in float16, and x/d rounded to int8, halves away from 0. */
export function quantizeQ8(values: Float32Array): Uint8Array {
  const numBlocks = values.length / Q8_BLOCK;
  const scales = new Float32Array(numBlocks);
  const bytes = new Uint8Array(numBlocks * BLOCK_BYTES);
  for (let block = 0; block < numBlocks; block++) {
    const x = values.subarray(block * Q8_BLOCK, (block + 1) * Q8_BLOCK);
    const most = x.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const scale = Math.fround(most / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    scales[block] = scale;
    x.forEach((value, i) => {
      const quantum = Math.fround(value * inverse);
      bytes[block * BLOCK_BYTES + 2 + i] = Math.sign(quantum) * Math.floor(Math.abs(quantum) + 0.5);
    });
  }
  const halves = narrowF16(scales);
  const view = new DataView(bytes.buffer);
  halves.forEach((half, block) => view.setUint16(block * BLOCK_BYTES, half, true));
  return bytes;
}
