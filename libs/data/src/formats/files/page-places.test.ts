import type { ColumnMetaData } from "hyparquet";
import { expect, it } from "vitest";
import { pagePlaces } from "./page-places.js";

const zigZag = (value: number) => value * 2; // of numbers below 64, one byte each
/** A data page of version 1 whose repetition levels are runs of one. */
function page(levels: readonly number[]): number[] {
  const runs = levels.flatMap((level) => [1 << 1, level]);
  const body = [runs.length, 0, 0, 0, ...runs];
  const number = (value: number) => [0x15, zigZag(value)]; // the next field, i32
  const inner = [...number(levels.length), ...number(0), 0];
  const size = number(body.length);
  return [...number(0), ...size, ...size, 0x2c, ...inner, 0, ...body];
}

it("a page that goes on with a row of the page before is read with that one", async () => {
  const pages = [page([0, 1, 0]), page([1, 1, 0]), page([0])];
  const bytes = Uint8Array.from(pages.flat());
  const file = {
    byteLength: bytes.length,
    slice: (from: number, to?: number) => bytes.buffer.slice(from, to),
  };
  const column = {
    ...{ data_page_offset: 0n, total_compressed_size: BigInt(bytes.length) },
    codec: "UNCOMPRESSED",
  } as ColumnMetaData;
  const places = await pagePlaces(file, column, { depth: 1, compressors: {} });
  const both = pages[0]!.length + pages[1]!.length;
  expect(places).toEqual([
    { offset: 0n, compressed_page_size: both, first_row_index: 0n },
    { offset: BigInt(both), compressed_page_size: pages[2]!.length, first_row_index: 3n },
  ]);
});
