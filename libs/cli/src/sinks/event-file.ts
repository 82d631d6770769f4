/**
 * TensorBoard's event files: TFRecords (length, masked CRC-32C of it, data, masked CRC-32C of the data), each
 * an `Event` of tensorflow/core/util/event.proto with a `Summary` of simple values (32-bit floats).
 */
import type { Scalars } from "./scalars.js";

/** Length and its checksum, bytes. */
const HEAD = 12;

/** The first record of every file. */
export function fileVersion(wallTime: number): Buffer {
  return record(Buffer.concat([double(1, wallTime), bytes(3, Buffer.from("brain.Event:2"))]));
}

/** One event: the figures of a step. */
export function summaryEvent({ step, values }: Scalars, wallTime: number): Buffer {
  const summary = values.map(([tag, value]) =>
    bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
  );
  return record(
    Buffer.concat([double(1, wallTime), varintField(2, step), bytes(5, Buffer.concat(summary))]),
  );
}

/** When an event of ours was written: its first field. */
export const wallTimeOf = (event: Buffer): number => event.readDoubleLE(HEAD + 1);

/** Where each whole record ends; a torn last one, and whatever follows damage, is left out. */
export function recordEnds(content: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at + HEAD <= content.length;) {
    const length = Number(content.readBigUInt64LE(at));
    const end = at + HEAD + length + 4;
    if (content.readUInt32LE(at + 8) !== masked(content.subarray(at, at + 8))) break;
    if (end > content.length) break;
    if (content.readUInt32LE(end - 4) !== masked(content.subarray(at + HEAD, end - 4))) break;
    ends.push(end);
    at = end;
  }
  return ends;
}

function record(data: Buffer): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeBigUInt64LE(BigInt(data.length), 0);
  head.writeUInt32LE(masked(head.subarray(0, 8)), 8);
  const foot = Buffer.alloc(4);
  foot.writeUInt32LE(masked(data), 0);
  return Buffer.concat([head, data, foot]);
}

function masked(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli), as RFC 3720 has it. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Buffer.from(out);
}

const key = (field: number, wireType: number) => varint((field << 3) | wireType);
const varintField = (field: number, value: number) => Buffer.concat([key(field, 0), varint(value)]);
const bytes = (field: number, content: Buffer) =>
  Buffer.concat([key(field, 2), varint(content.length), content]);

function double(field: number, value: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeDoubleLE(value);
  return Buffer.concat([key(field, 1), content]);
}

function float(field: number, value: number): Buffer {
  const content = Buffer.alloc(4);
  content.writeFloatLE(value);
  return Buffer.concat([key(field, 5), content]);
}
