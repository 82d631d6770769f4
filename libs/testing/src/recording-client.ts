import type { PjrtArray, PjrtBuffer, PjrtClient, PjrtDtype } from "@stagecraft/tensor-xla";

/**
 * A PJRT plugin's double, which computes nothing: it keeps the texts that it is given, and its buffers hold what was
 * uploaded, else zeros.
 */
export interface RecordingClient extends PjrtClient {
  /** Texts compiled, in order. */
  readonly texts: string[];
  /** Of each execution: the dtypes and shapes of its arguments, such as "f32[2,3]". */
  readonly calls: string[][];
}

export function createRecordingClient(): RecordingClient {
  const texts: string[] = [];
  const calls: string[][] = [];
  const live = new Set<PjrtBuffer>();
  const bufferOf = (dtype: PjrtDtype, shape: readonly number[], values: PjrtArray): PjrtBuffer => {
    let isDeleted = false;
    const buffer: PjrtBuffer = {
      ...{ dtype, shape, device: 0 },
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
    ...{ platform: "cpu", version: "1", devices: [], texts, calls },
    get liveBuffers() {
      return live.size;
    },
    compile(text) {
      texts.push(text);
      const { outputs, donated } = signatureOf(text);
      const execute = (args: readonly PjrtBuffer[]) => {
        if (args.some((arg) => arg.isDeleted)) throw new Error("an argument is deleted");
        calls.push(args.map(({ dtype, shape }) => `${dtype}[${shape}]`));
        for (const at of donated) args[at]!.free();
        return outputs.map(({ dtype, shape }) => bufferOf(dtype, shape, zeros(dtype, shape)));
      };
      return {
        ...{ numOutputs: outputs.length, numReplicas: 1, fromCache: false, execute },
        executeReplicas: (lists) => lists.map(execute),
        serialize: () => undefined,
        free: () => undefined,
      };
    },
    load() {
      throw new Error("the double has no programs to load");
    },
    upload: (data, dtype, shape) => bufferOf(dtype, shape, data),
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
