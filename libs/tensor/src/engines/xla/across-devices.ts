import { StagecraftError } from "@stagecraft/core";
import type { tf } from "../../tf.js";
import type { XlaBackend } from "./backend.js";
import { writeProgram } from "./program.js";
import { sumOverDevices, type HostArray, type Value } from "./value.js";

/** Records tensors of a part of a batch; the tensors are handed over. */
type Part = () => readonly tf.Tensor[];

interface RecordedPart {
  readonly tensors: readonly tf.Tensor[];
  readonly program: ReturnType<typeof writeProgram>;
}

/**
 * The sums of what the parts of a batch give, a device for each part. Parts that differ in the host's numbers alone
 * record equal programs: the first is kept, with the others' numbers for the further devices.
 */
export function sumAcrossDevices(backend: XlaBackend, parts: readonly Part[]): tf.Tensor[] {
  const [first, ...others] = recordAlike(backend, parts);
  for (const type of ["f32", "i32"] as const) {
    first!.program.packed[type].forEach((value, i) => {
      const further = others.map(({ program }) => program.packed[type][i]!);
      if (further.every((each) => each === value)) return; // not the part's
      value.origin = { kind: "host", array: hostArray(value), others: further.map(hostArray) };
    });
  }
  const sums = first!.program.outputs.map((value) =>
    backend.tensor(sumOverDevices(value, parts.length)),
  );
  disposeAll([first!, ...others]);
  return sums;
}

/**
 * Parts of equal shapes differ where a table of angles grew between them, or where not all suit cuDNN's attention: both
 * are over at a second recording.
 */
function recordAlike(backend: XlaBackend, parts: readonly Part[]): RecordedPart[] {
  const attempts = [
    () => recordAll(backend, parts),
    () => backend.withPlainAttention(() => recordAll(backend, parts)),
  ];
  for (const attempt of attempts) {
    const recorded = attempt();
    if (recorded.every((part) => isLike(part, recorded[0]!))) return recorded;
    disposeAll(recorded);
  }
  throw new StagecraftError(
    "unimplemented",
    `the ${parts.length} parts of a batch, one for each device, are not of equal shapes: train with devices 1`,
  );
}

function recordAll(backend: XlaBackend, parts: readonly Part[]): RecordedPart[] {
  backend.settleVariables();
  const tensors = backend.withArraysOnHost(() => parts.map((part) => part()));
  return tensors.map((list) => {
    const values = list.map((tensor) => backend.value(tensor));
    return { tensors: list, program: writeProgram(values, () => false) };
  });
}

function isLike({ program: a }: RecordedPart, { program: b }: RecordedPart): boolean {
  const inputs = b.deviceInputs;
  return (
    a.text === b.text &&
    a.deviceInputs.length === inputs.length &&
    a.deviceInputs.every((value, i) => value === inputs[i])
  );
}

function hostArray({ id, origin }: Value): HostArray {
  if (origin.kind === "host") return origin.array;
  throw new Error(`value ${id} is not the host's`);
}

function disposeAll(parts: readonly RecordedPart[]): void {
  for (const { tensors } of parts) for (const tensor of tensors) tensor.dispose();
}
