/** A double of `@stagecraft/tensor-xla` that computes nothing and counts programs; its buffers hold zeros. */

export const counts = { compiled: 0, executed: 0 };

interface Buffer {
  shape: readonly number[];
  dtype: string;
  isDeleted: boolean;
  readSync(): Float32Array | Int32Array;
  read(): Promise<Float32Array | Int32Array>;
  free(): void;
}

function bufferOf(dtype: string, shape: readonly number[], data?: ArrayLike<number>): Buffer {
  const size = shape.reduce((product, n) => product * n, 1);
  const values = dtype === "f32" ? new Float32Array(size) : new Int32Array(size);
  if (data) values.set(data);
  const buffer: Buffer = {
    ...{ shape, dtype, isDeleted: false },
    readSync: () => values,
    read: () => Promise.resolve(values),
    free: () => void (buffer.isDeleted = true),
  };
  return buffer;
}

/** What a program gives: dtypes and shapes from its text. */
function outputsOf(text: string) {
  const [, results = ""] = /@main\(.*\) -> \((.*)\) \{/.exec(text) ?? [];
  return [...results.matchAll(/tensor<((?:\d+x)*)(f32|i32)>/g)].map(([, dims, type]) => ({
    dtype: type === "f32" ? "f32" : "s32",
    shape: dims!.split("x").filter(Boolean).map(Number),
  }));
}

const openPjrt = () => ({
  ...{ platform: "double", version: "1", devices: [{ id: 0, kind: "none", description: "" }] },
  compile(text: string) {
    counts.compiled++;
    const outputs = outputsOf(text);
    const execute = (args: readonly Buffer[]) => {
      if (args.some((arg) => arg.isDeleted)) throw new Error("an argument is deleted");
      counts.executed++;
      return outputs.map(({ dtype, shape }) => bufferOf(dtype, shape));
    };
    return { execute, free: () => undefined };
  },
  upload: (data: ArrayLike<number>, dtype: string, shape: readonly number[]) =>
    bufferOf(dtype, shape, data),
});

/** What the module exports. */
export const countingPlugin = {
  openPjrt,
  findPjrtPlugin: () => "double",
  HOW_TO_GET_A_PLUGIN: "",
};
