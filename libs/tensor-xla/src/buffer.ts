import { StagecraftError } from "@stagecraft/core";
import type { BufferHandle, XlaAddon } from "./addon.js";
import { dtypeOfCode, hostArray, typeText } from "./dtypes.js";
import { guarded, toPjrtError } from "./errors.js";
import type { PjrtArray, PjrtBuffer, PjrtDtype } from "./pjrt.js";

/** What is known of a buffer without asking its device. */
export interface BufferType {
  dtype: PjrtDtype;
  shape: readonly number[];
  device: number;
}

/** Asks the plugin what a program's output is. */
export function describeBuffer(addon: XlaAddon, handle: BufferHandle): BufferType {
  const [code, device, ...shape] = guarded("cannot describe an output", () =>
    addon.describeBuffer(handle),
  );
  const dtype = dtypeOfCode(code);
  if (dtype === undefined) {
    throw new StagecraftError(
      "unimplemented",
      `an output has PJRT's element type ${code}, which is not carried to the host: convert it in the program`,
    );
  }
  return { dtype, shape, device };
}

/** An array on a device, see PjrtBuffer. */
export class DeviceBuffer implements PjrtBuffer {
  readonly dtype: PjrtDtype;
  readonly shape: readonly number[];
  readonly device: number;
  #deleted: "freed" | "donated" | undefined;

  constructor(
    private readonly addon: XlaAddon,
    readonly handle: BufferHandle,
    type: BufferType,
  ) {
    this.dtype = type.dtype;
    this.shape = type.shape;
    this.device = type.device;
  }

  get isDeleted(): boolean {
    if (this.#deleted === undefined && this.addon.isDeleted(this.handle)) this.#deleted = "donated";
    return this.#deleted !== undefined;
  }

  async read(): Promise<PjrtArray> {
    this.refuseDeleted("it cannot be read");
    try {
      return await this.addon.read(this.handle, hostArray(this.dtype, this.shape));
    } catch (error) {
      throw toPjrtError(error, this.#doing);
    }
  }

  readSync(): PjrtArray {
    this.refuseDeleted("it cannot be read");
    const array = hostArray(this.dtype, this.shape);
    guarded(this.#doing, () => this.addon.readSync(this.handle, array));
    return array;
  }

  free(): void {
    if (this.isDeleted) return;
    this.#deleted = "freed";
    this.addon.freeBuffer(this.handle);
  }

  /** Throws `failed_precondition` when the buffer is freed or donated. */
  refuseDeleted(consequence: string): void {
    if (!this.isDeleted) return;
    const what = typeText(this.dtype, this.shape);
    const how =
      this.#deleted === "freed"
        ? "was freed"
        : "was donated to a program or closed with its client";
    throw new StagecraftError("failed_precondition", `a buffer ${what} ${how}: ${consequence}`);
  }

  get #doing(): string {
    return `cannot read a buffer ${typeText(this.dtype, this.shape)}`;
  }
}
