import { StagecraftError } from "@stagecraft/core";
import type { BufferHandle, CompiledProgram, XlaAddon } from "./addon.js";
import { type BufferType, describeBuffer, DeviceBuffer } from "./buffer.js";
import { typeText } from "./dtypes.js";
import { guarded } from "./errors.js";
import type { PjrtBuffer, PjrtProgram } from "./pjrt.js";
import type { ArgumentType } from "./signature.js";

export interface ProgramOptions {
  numReplicas: number;
  fromCache: boolean;
  /** Of `main`, to refuse other arguments: a plugin may compare sizes only. */
  args: readonly ArgumentType[];
}

/** A compiled program, see PjrtProgram. */
export class DeviceProgram implements PjrtProgram {
  readonly numOutputs: number;
  readonly numReplicas: number;
  readonly fromCache: boolean;
  /** Types of the outputs of each replica: the same at every execution, so asked for once. */
  #outputs: BufferType[][] | undefined;

  constructor(
    private readonly addon: XlaAddon,
    private readonly compiled: CompiledProgram,
    private readonly options: ProgramOptions,
  ) {
    this.numOutputs = compiled.numOutputs;
    this.numReplicas = options.numReplicas;
    this.fromCache = options.fromCache;
  }

  execute(args: readonly PjrtBuffer[]): PjrtBuffer[] {
    return this.executeReplicas([args])[0] ?? [];
  }

  executeReplicas(args: readonly (readonly PjrtBuffer[])[]): PjrtBuffer[][] {
    if (args.length !== this.numReplicas) {
      throw refusal(`it runs on ${this.numReplicas} devices, arguments are for ${args.length}`);
    }
    const handles = args.map((list) => this.#handlesOf(list));
    const lists = guarded("cannot execute a program", () =>
      this.addon.execute(this.compiled.program, handles),
    );
    this.#outputs ??= lists.map((list) => list.map((each) => describeBuffer(this.addon, each)));
    return lists.map((list, replica) => this.#wrap(list, this.#outputs?.[replica] ?? []));
  }

  serialize(): Buffer | undefined {
    return guarded("cannot serialise a program", () => this.addon.serialize(this.compiled.program));
  }

  free(): void {
    this.addon.freeProgram(this.compiled.program);
  }

  #handlesOf(args: readonly PjrtBuffer[]): BufferHandle[] {
    const wanted = this.options.args;
    if (args.length !== wanted.length) {
      throw refusal(`it takes ${wanted.length} arguments, not ${args.length}`);
    }
    return args.map((buffer, i) => {
      const type = wanted[i];
      if (!(buffer instanceof DeviceBuffer))
        throw refusal(`argument ${i} is no buffer of a client`);
      if (type !== undefined && !fits(buffer, type)) {
        const given = typeText(buffer.dtype, buffer.shape);
        throw refusal(`argument ${i} is ${given}, not ${typeText(type.dtype, type.shape)}`);
      }
      buffer.refuseDeleted(`it cannot be argument ${i} of a program`);
      return buffer.handle;
    });
  }

  #wrap(handles: readonly BufferHandle[], types: readonly BufferType[]): PjrtBuffer[] {
    return handles.map((handle, i) => {
      const type = types[i] ?? describeBuffer(this.addon, handle);
      return new DeviceBuffer(this.addon, handle, type);
    });
  }
}

function fits(buffer: DeviceBuffer, { dtype, shape }: ArgumentType): boolean {
  if (buffer.dtype !== dtype || buffer.shape.length !== shape.length) return false;
  return shape.every((length, i) => length === buffer.shape[i]);
}

function refusal(reason: string): StagecraftError {
  return new StagecraftError("invalid_argument", `cannot execute a program: ${reason}`);
}
