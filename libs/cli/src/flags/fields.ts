import { z } from "zod";

/** One field of a configuration, as far as a command line needs to know it. */
export interface Field {
  /** The configuration's own spelling, such as `learningRate`. */
  name: string;
  /** Its flag, such as `--learning-rate`. */
  flag: string;
  kind: "text" | "number" | "boolean" | "choice" | "list" | "json";
  choices: readonly string[];
  /** The value when neither flag nor file gives one; undefined when there is none. */
  default: unknown;
  isRequired: boolean;
  min?: number;
  max?: number;
  doc: string;
}

interface FieldSchema {
  type?: string | string[];
  enum?: unknown[];
  anyOf?: FieldSchema[];
  items?: FieldSchema;
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
}

/** The fields of a flat configuration schema (a zod object), read from its JSON schema. */
export function describeFields(schema: z.ZodType): Field[] {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as {
    properties?: Record<string, FieldSchema>;
    required?: string[];
  };
  return Object.entries(json.properties ?? {}).map(([name, field]) => ({
    name,
    flag: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    kind: kindOf(field),
    choices: (field.enum ?? []).map(String),
    default: field.default,
    isRequired: json.required?.includes(name) ?? false,
    ...limits(field),
    doc: field.description ?? "",
  }));
}

function kindOf(field: FieldSchema): Field["kind"] {
  if (field.enum) return "choice";
  const variants = (field.anyOf ?? [field]).flatMap((variant) => variant.type ?? []);
  if (variants.includes("array")) return "list";
  if (variants.includes("object")) return "json";
  if (variants.includes("string")) return "text";
  if (variants.includes("boolean")) return "boolean";
  return variants.some((type) => type === "number" || type === "integer") ? "number" : "json";
}

/** JSON schema spells "any integer" as the safe integer range, which is no limit worth showing. */
function limits({ minimum, maximum }: FieldSchema): { min?: number; max?: number } {
  const isReal = (limit: number | undefined): limit is number =>
    limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
  return { ...(isReal(minimum) && { min: minimum }), ...(isReal(maximum) && { max: maximum }) };
}
