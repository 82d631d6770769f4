// The message CompileOptionsProto of XLA (xla/pjrt/proto/compile_options.proto), the few fields we set.

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

/** Fields of CompileOptionsProto, ExecutableBuildOptionsProto and OptionOverrideProto. */
const BUILD_OPTIONS = 3;
const OVERRIDES = 7;
const DEVICE_ORDINAL = 1;
const NUM_REPLICAS = 4;
const NUM_PARTITIONS = 5;
const STRING = 1;
const BOOL = 2;
const INT = 3;
const DOUBLE = 4;

/** The options of a compilation as the C API takes them: serialised. */
export function encodeCompileOptions(
  numReplicas: number,
  overrides: Readonly<Record<string, string | number | boolean>> = {},
): Uint8Array {
  const build = [
    ...varintField(DEVICE_ORDINAL, -1n),
    ...varintField(NUM_REPLICAS, BigInt(numReplicas)),
    ...varintField(NUM_PARTITIONS, 1n),
  ];
  const entries = Object.entries(overrides).flatMap(([name, value]) =>
    bytesField(OVERRIDES, [
      ...bytesField(1, Buffer.from(name)),
      ...bytesField(2, encodeOverride(value)),
    ]),
  );
  return Uint8Array.from([...bytesField(BUILD_OPTIONS, build), ...entries]);
}

function encodeOverride(value: string | number | boolean): number[] {
  if (typeof value === "string") return bytesField(STRING, Buffer.from(value));
  if (typeof value === "boolean") return varintField(BOOL, value ? 1n : 0n);
  if (Number.isSafeInteger(value)) return varintField(INT, BigInt(value));
  const double = Buffer.alloc(8);
  double.writeDoubleLE(value);
  return [...varint(BigInt((DOUBLE << 3) | FIXED64)), ...double];
}

function varintField(field: number, value: bigint): number[] {
  return [...varint(BigInt((field << 3) | VARINT)), ...varint(value)];
}

function bytesField(field: number, bytes: Iterable<number>): number[] {
  const content = [...bytes];
  return [...varint(BigInt((field << 3) | BYTES)), ...varint(BigInt(content.length)), ...content];
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}
