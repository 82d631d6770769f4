import { StagecraftError } from "@stagecraft/core";
import type { ClientHandle, CompiledProgram, XlaAddon } from "./addon.js";
import { DeviceBuffer } from "./buffer.js";
import { encodeCompileOptions } from "./compile-options.js";
import { dtypeInfo, sizeOf, typeText } from "./dtypes.js";
import { guarded } from "./errors.js";
import type {
  PjrtArray,
  PjrtBuffer,
  PjrtClient,
  PjrtCompileOptions,
  PjrtDevice,
  PjrtDtype,
  PjrtMemoryStats,
  PjrtOptions,
  PjrtProgram,
} from "./pjrt.js";
import { DeviceProgram } from "./program.js";
import { compiledAnew, compilerFlags, ProgramCache, type ProgramKey } from "./program-cache.js";
import { readArguments } from "./signature.js";

/** What the addon tells of an opened plugin. */
export type Opened = ReturnType<XlaAddon["open"]>;

/** A plugin's devices, see PjrtClient. */
export class DeviceClient implements PjrtClient {
  readonly platform: string;
  readonly version: string;
  readonly devices: readonly PjrtDevice[];
  readonly #handle: ClientHandle;
  readonly #flags: readonly string[];
  #cache: ProgramCache | undefined;

  constructor(
    private readonly addon: XlaAddon,
    opened: Opened,
    private readonly options: PjrtOptions,
  ) {
    this.#handle = opened.client;
    this.#flags = compilerFlags(opened.flags);
    this.platform = opened.platform;
    this.version = `${opened.version} (PJRT ${opened.pjrtVersion})`;
    this.devices = opened.devices.map((device, id) => ({ id, ...device }));
    this.#cache = options.cacheDir === undefined ? undefined : new ProgramCache(options.cacheDir);
  }

  get liveBuffers(): number {
    return this.addon.liveBuffers(this.#handle);
  }

  compile(mlirText: string, { numReplicas = 1 }: PjrtCompileOptions = {}): PjrtProgram {
    this.#refuseReplicas(numReplicas);
    const key = this.#keyOf(mlirText, numReplicas);
    const kept = this.#cache?.read(key);
    const loaded = kept && this.#tryLoad(kept);
    if (loaded) return this.#programOf(loaded, { mlirText, numReplicas, fromCache: true });
    const compiled = guarded("cannot compile a program", () =>
      this.addon.compile(this.#handle, mlirText, key.options),
    );
    const program = this.#programOf(compiled, { mlirText, numReplicas, fromCache: false });
    const serialized = this.#cache && program.serialize();
    if (serialized) this.#keep(key, serialized);
    return program;
  }

  /** A full disk ends the keeping of programs, not the work. */
  #keep(key: ProgramKey, serialized: Buffer): void {
    try {
      this.#cache?.write(key, serialized);
    } catch (error) {
      this.#cache = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      process.emitWarning(`compiled programs are not kept any more: ${reason}`);
    }
  }

  load(
    serialized: Buffer,
    mlirText: string,
    { numReplicas = 1 }: PjrtCompileOptions = {},
  ): PjrtProgram {
    this.#refuseReplicas(numReplicas);
    const compiled = guarded("cannot load a compiled program", () =>
      this.addon.load(this.#handle, serialized),
    );
    return this.#programOf(compiled, { mlirText, numReplicas, fromCache: true });
  }

  upload(data: PjrtArray, dtype: PjrtDtype, shape: readonly number[], device = 0): PjrtBuffer {
    const doing = `cannot upload ${typeText(dtype, shape)}`;
    const info = dtypeInfo(dtype);
    if (info === undefined) throw refusal(`${doing}: unknown type`);
    if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
      throw refusal(`${doing}: every length must be a whole number that is not negative`);
    }
    if (!(data instanceof info.array)) {
      throw refusal(`${doing}: it needs a ${info.array.name}, not a ${data.constructor.name}`);
    }
    if (data.length !== sizeOf(shape)) {
      throw refusal(`${doing}: the array has ${data.length} elements, not ${sizeOf(shape)}`);
    }
    this.#refuseDevice(device);
    const handle = guarded(doing, () =>
      this.addon.upload(this.#handle, device, info.code, shape, data),
    );
    return new DeviceBuffer(this.addon, handle, { dtype, shape: [...shape], device });
  }

  memoryStats(device = 0): PjrtMemoryStats | undefined {
    this.#refuseDevice(device);
    const stats = guarded("cannot ask for memory", () =>
      this.addon.memoryStats(this.#handle, device),
    );
    if (stats === undefined) return undefined;
    const [bytesInUse, peakBytesInUse, bytesLimit] = stats;
    return {
      bytesInUse,
      ...(peakBytesInUse >= 0 && { peakBytesInUse }),
      ...(bytesLimit >= 0 && { bytesLimit }),
    };
  }

  close(): void {
    this.addon.close(this.#handle);
  }

  #keyOf(mlirText: string, numReplicas: number): ProgramKey {
    return {
      mlirText,
      options: encodeCompileOptions(numReplicas, this.options.compilerOptions),
      platform: this.platform,
      pluginVersion: this.version,
      deviceKinds: this.devices.map(({ kind }) => kind),
      flags: this.#flags,
    };
  }

  /** A program that the plugin no longer takes, whatever its reason, is compiled anew. */
  #tryLoad(serialized: Buffer): CompiledProgram | undefined {
    try {
      return this.addon.load(this.#handle, serialized);
    } catch (error) {
      compiledAnew(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #programOf(
    compiled: CompiledProgram,
    about: { mlirText: string; numReplicas: number; fromCache: boolean },
  ): DeviceProgram {
    const { mlirText, numReplicas, fromCache } = about;
    const args = readArguments(mlirText);
    return new DeviceProgram(this.addon, compiled, { numReplicas, fromCache, args });
  }

  #refuseReplicas(numReplicas: number): void {
    const most = this.devices.length;
    if (Number.isSafeInteger(numReplicas) && numReplicas >= 1 && numReplicas <= most) return;
    throw refusal(`numReplicas is ${numReplicas}: this client has ${most} device(s)`);
  }

  #refuseDevice(device: number): void {
    if (this.devices[device] !== undefined) return;
    throw refusal(`there is no device ${device}: this client has ${this.devices.length}`);
  }
}

function refusal(reason: string): StagecraftError {
  return new StagecraftError("invalid_argument", reason);
}
