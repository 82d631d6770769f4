import { Value, type Loop, type Origin } from "./value.js";

export interface LoopBody {
  condition(carried: readonly Value[]): Value;
  next(carried: readonly Value[]): readonly Value[];
}

/** Runs `next` while the condition holds; gives what is carried at the end. */
export function loop(inits: readonly Value[], body: LoopBody): Value[] {
  const carried = inits.map(({ shape, type }) => new Value(shape, type, { kind: "carried" }));
  const condition = body.condition(carried);
  const next = body.next(carried);
  const free = freeOf([condition, ...next], carried);
  const whole: Loop = { inits, carried, condition, next, free };
  const value = new Value([], "i1", { kind: "loop", loop: whole });
  return inits.map(({ shape, type }, index) => {
    return new Value(shape, type, { kind: "part", of: value, index });
  });
}

/** Values that a value is computed of. */
export function inputsOf(origin: Origin): readonly Value[] {
  switch (origin.kind) {
    case "operation":
      return origin.inputs;
    case "part":
      return [origin.of];
    case "loop":
      return [...origin.loop.inits, ...origin.loop.free];
    default:
      return [];
  }
}

/** Operations that `roots` need of one turn, inputs first: those that depend on what is carried. */
export function turnOf(roots: readonly Value[], carried: readonly Value[]): Value[] {
  const inside = dependents(roots, carried);
  return [...inside].filter(({ origin }) => origin.kind !== "carried").sort((a, b) => a.id - b.id);
}

function freeOf(roots: readonly Value[], carried: readonly Value[]): Value[] {
  const inside = dependents(roots, carried);
  const read = [...roots, ...[...inside].flatMap(({ origin }) => inputsOf(origin))];
  const outside = read.filter((value) => !inside.has(value) && value.origin.kind !== "splat");
  return [...new Set(outside)];
}

/** What depends on the carried values, they too, of all that the roots need. */
function dependents(roots: readonly Value[], carried: readonly Value[]): Set<Value> {
  const first = carried[0]!.id; // what was made before cannot depend on them
  const seen = new Set<Value>();
  const waiting = [...roots];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    if (value.id < first || seen.has(value)) continue;
    seen.add(value);
    waiting.push(...inputsOf(value.origin));
  }
  const inside = new Set(carried);
  for (const value of [...seen].sort((a, b) => a.id - b.id)) {
    if (inputsOf(value.origin).some((input) => inside.has(input))) inside.add(value);
  }
  return inside;
}
