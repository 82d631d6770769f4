// The fields of configurations. One without a default is required; `.describe()` tells what each means.
import { z } from "zod";

/** The range of a number, both ends included, and its default. */
export interface NumberOptions {
  /** Default: 0. */
  min?: number;
  max?: number;
  default?: number;
}

/** A whole number. */
export function whole(options: NumberOptions & { default: number }): z.ZodDefault<z.ZodInt>;
export function whole(options?: NumberOptions): z.ZodInt;
export function whole({ min = 0, max, default: value }: NumberOptions = {}) {
  const field = max === undefined ? z.int().min(min) : z.int().min(min).max(max);
  return value === undefined ? field : field.default(value);
}

export interface DecimalOptions extends NumberOptions {
  /** In the place of `min`: the smallest number that is too small. */
  above?: number;
}

/** A number with or without a fraction. */
export function decimal(options: DecimalOptions & { default: number }): z.ZodDefault<z.ZodNumber>;
export function decimal(options?: DecimalOptions): z.ZodNumber;
export function decimal({ min = 0, above, max, default: value }: DecimalOptions = {}) {
  const from = above === undefined ? z.number().min(min) : z.number().gt(above);
  const field = max === undefined ? from : from.max(max);
  return value === undefined ? field : field.default(value);
}

/** A text; empty only where that is the default. */
export function text(value: string): z.ZodDefault<z.ZodString>;
export function text(): z.ZodString;
export function text(value?: string) {
  if (value === undefined) return z.string().min(1);
  return (value === "" ? z.string() : z.string().min(1)).default(value);
}

/** Texts, none of them empty; at least one without a default. */
export function texts(value: string[]): z.ZodDefault<z.ZodArray<z.ZodString>>;
export function texts(): z.ZodArray<z.ZodString>;
export function texts(value?: string[]) {
  const field = z.array(z.string().min(1));
  return value === undefined ? field.min(1) : field.default(value);
}

/** One of several words. */
export function choice<const Words extends readonly string[]>(
  words: Words,
  value: NoInfer<Words[number]>,
) {
  return z.enum(words).default(value as never);
}

/** Yes or no. */
export function flag(value: boolean) {
  return z.boolean().default(value);
}
