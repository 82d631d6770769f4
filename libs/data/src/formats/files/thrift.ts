/** A structure of Thrift's compact protocol by the numbers of its fields; only numbers and structures. */
export type ThriftStruct = Map<number, number | ThriftStruct>;

/** The structure that the bytes begin with, and its length; undefined when they end before it does. */
export function readStruct(bytes: Uint8Array): { value: ThriftStruct; length: number } | undefined {
  const reader = { bytes, at: 0 };
  const value = structAt(reader);
  return reader.at <= bytes.length ? { value, length: reader.at } : undefined;
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

/** Types of values; those left out are numbers of other sizes. */
const STOP = 0;
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

function structAt(reader: Reader): ThriftStruct {
  const fields: ThriftStruct = new Map();
  let field = 0;
  while (reader.at < reader.bytes.length) {
    const byte = reader.bytes[reader.at++]!;
    const type = byte & 0x0f;
    if (type === STOP) return fields;
    field = byte >> 4 === 0 ? zigZagAt(reader) : field + (byte >> 4);
    const value = valueAt(reader, type);
    if (value !== undefined) fields.set(field, value);
  }
  reader.at = reader.bytes.length + 1; // it goes on behind these bytes
  return fields;
}

/** A number or structure; undefined for what is passed over. */
function valueAt(reader: Reader, type: number): number | ThriftStruct | undefined {
  if (type === STRUCT) return structAt(reader);
  if (type === TRUE || type === FALSE) return type === TRUE ? 1 : 0;
  if (type === BYTE || type === DOUBLE) reader.at += type === BYTE ? 1 : 8;
  else if (type === BINARY) passBinary(reader);
  else if (type === LIST) passList(reader);
  else return zigZagAt(reader);
  return undefined;
}

function passBinary(reader: Reader): void {
  const size = varIntAt(reader);
  reader.at += size;
}

function passList(reader: Reader): void {
  const byte = reader.bytes[reader.at++] ?? 0;
  const count = byte >> 4 === 15 ? varIntAt(reader) : byte >> 4;
  const type = byte & 0x0f;
  for (let i = 0; i < count && reader.at < reader.bytes.length; i++) {
    valueAt(reader, type === TRUE || type === FALSE ? BYTE : type);
  }
}

function varIntAt(reader: Reader): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reader.bytes[reader.at++] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
}

function zigZagAt(reader: Reader): number {
  const value = varIntAt(reader);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
