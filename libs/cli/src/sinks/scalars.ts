import type { JsonObject, JsonValue } from "@stagecraft/core";

/** The figures of one record of metrics.jsonl, as TensorBoard and MLflow name them. */
export interface Scalars {
  step: number;
  /** Such as `train/loss`; what is no finite number is not there. */
  values: [tag: string, value: number][];
}

/** What says where a record belongs, not how it went. */
const NO_FIGURES = new Set(["stage", "kind", "step", "update", "round"]);

/** Tags are the record's kind and field, nested ones with a slash. */
export function scalarsOf(record: JsonObject, index: number): Scalars {
  const { kind, step, update, round } = record;
  const group = typeof kind === "string" ? kind : "metrics";
  const counted = [step, update, round].find((each) => typeof each === "number");
  const fields = Object.entries(record).filter(([name]) => !NO_FIGURES.has(name));
  return {
    step: typeof counted === "number" ? counted : index,
    values: fields.flatMap(([name, value]) => figuresOf(`${group}/${name}`, value)),
  };
}

function figuresOf(tag: string, value: JsonValue | undefined): [string, number][] {
  if (typeof value === "number") return [[tag, value]];
  if (typeof value === "boolean") return [[tag, value ? 1 : 0]];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => figuresOf(`${tag}/${name}`, inner));
}
