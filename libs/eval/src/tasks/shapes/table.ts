import type { Fields } from "@stagecraft/data";
import { arcShape } from "./arc.js";
import { chooseShape } from "./choose.js";
import { gsm8kShape } from "./gsm8k.js";
import { hellaswagShape } from "./hellaswag.js";
import { ifevalShape } from "./ifeval.js";
import { mmluShape } from "./mmlu.js";
import type { TaskShape } from "./shape.js";

/** Every benchmark format; a record is read as the first that it looks like, so special ones stand first. */
const SHAPES: readonly TaskShape[] = [
  hellaswagShape,
  arcShape,
  mmluShape,
  gsm8kShape,
  ifevalShape,
  chooseShape,
];

export const shapeNames = (): string[] => SHAPES.map(({ name }) => name);

/** The format of that name; undefined when there is none. */
export const shapeNamed = (name: string): TaskShape | undefined =>
  SHAPES.find((shape) => shape.name === name);

/** The format that a record looks like; undefined when like none. */
export const shapeOf = (fields: Fields): TaskShape | undefined =>
  SHAPES.find((shape) => shape.matches(fields));
