import type { PjrtArray, PjrtBuffer, PjrtClient, PjrtDtype } from "@stagecraft/tensor-xla";

/**
 * A PJRT plugin's double, which computes nothing: it keeps the texts that it is given, and its buffers hold what was
 * uploaded, else zeros.
 */
export interface RecordingClient extends PjrtClient {
  /** Texts compiled, in order. */
  readonly texts: string[];
  /** Of each execution on a device: the dtypes and shapes of its arguments, such as "f32[2,3]". */
  readonly calls: string[][];
  /** Of each execution on a device: what its arguments held. */
  readonly values: PjrtArray[][];
}

export function createRecordingClient({ numDevices = 1 } = {}): RecordingClient {
  const texts: string[] = [];
  const calls: string[][] = [];
  const values: PjrtArray[][] = [];
  const live = new Set<PjrtBuffer>();
  const bufferOf = (
    dtype: PjrtDtype,
    shape: readonly number[],
    { values, device }: { values: PjrtArray; device: number },
  ): PjrtBuffer => {
    let isDeleted = false;
    const buffer: PjrtBuffer = {
      ...{ dtype, shape, device },
      get isDeleted() {
        return isDeleted;
      },
      read: () => Promise.resolve(buffer.readSync()),
      readSync() {
        if (isDeleted) throw new Error("the buffer is deleted");
        return values;
      },
      free() {
        isDeleted = true;
        live.delete(buffer);
      },
    };
    live.add(buffer);
    return buffer;
  };
  return {
    ...{ platform: "cpu", version: "1", texts, calls, values },
    devices: Array.from({ length: numDevices }, (_, id) => ({ id, kind: "none", description: "" })),
    get liveBuffers() {
      return live.size;
    },
    compile(text, { numReplicas = 1 } = {}) {
      texts.push(text);
      const { outputs, donated } = signatureOf(text);
      const run = (args: readonly PjrtBuffer[], device: number) => {
        if (args.some((arg) => arg.isDeleted)) throw new Error("an argument is deleted");
        if (args.some((arg) => arg.device !== device)) throw new Error("it is on another device");
        calls.push(args.map(({ dtype, shape }) => `${dtype}[${shape}]`));
        values.push(args.map((arg) => arg.readSync()));
        for (const at of donated) args[at]!.free();
        return outputs.map(({ dtype, shape }) =>
          bufferOf(dtype, shape, { values: zeros(dtype, shape), device }),
        );
      };
      return {
        ...{ numOutputs: outputs.length, numReplicas, fromCache: false },
        execute: (args) => run(args, 0),
        executeReplicas: (lists) => lists.map(run),
        serialize: () => undefined,
        free: () => undefined,
      };
    },
    load() {
      throw new Error("the double has no programs to load");
    },
    upload: (values, dtype, shape, device = 0) => bufferOf(dtype, shape, { values, device }),
    memoryStats: () => undefined,
    close: () => undefined,
  };
}

interface Signature {
  outputs: { dtype: "f32" | "s32"; shape: number[] }[];
  /** Places of the arguments that an output takes the memory of. */
  donated: number[];
}

function signatureOf(text: string): Signature {
  const [, args = "", results = ""] = /@main\((.*)\) -> \((.*)\) \{/.exec(text) ?? [];
  const outputs = [...results.matchAll(/tensor<((?:\d+x)*)(f32|i32)>/g)].map(([, dims, type]) => ({
    dtype: type === "f32" ? ("f32" as const) : ("s32" as const),
    shape: dims!.split("x").filter(Boolean).map(Number),
  }));
  const donated = args
    .split(/, (?=%)/)
    .flatMap((arg, i) => (arg.includes("tf.aliasing_output") ? [i] : []));
  return { outputs, donated };
}

function zeros(dtype: "f32" | "s32", shape: readonly number[]) {
  const size = shape.reduce((product, n) => product * n, 1);
  return dtype === "f32" ? new Float32Array(size) : new Int32Array(size);
}

/** A double of the module `@stagecraft/tensor-xla`, for `vi.mock`: finds a plugin, and opens the one above. */
export const recordingPlugin = {
  findPjrtPlugin: (): string | undefined => "double",
  openPjrt: (): RecordingClient => createRecordingClient(),
  HOW_TO_GET_A_PLUGIN: "",
};
