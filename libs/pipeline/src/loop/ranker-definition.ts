import type { Ranking } from "@stagecraft/data";
import type { ZodRawShape } from "zod";
import type { Answers } from "../ranking/answers.js";

/** Ranks the answers to one prompt in place of people; undefined = not ranked. */
export type LoopRanker = (set: Answers, round: number) => Ranking | undefined;

/** A ranker that somebody registers with the loop, under a name for the field `ranker`. */
export interface RankerDefinition {
  name: string;
  /** Who that is, for the field's description: "the demo's labelers". */
  doc: string;
  /** Fields of its own, all with defaults; the loop's configuration gets them. */
  fields: ZodRawShape;
  /** From the loop's configuration, its own fields among it. */
  create(config: Readonly<Record<string, unknown>>): LoopRanker;
}
