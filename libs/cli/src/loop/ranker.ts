import { createRandom, deriveSeed } from "@stagecraft/core";
import type { Ranking } from "@stagecraft/data";
import { worldOf } from "../demo/world-fields.js";
import type { Answers } from "../ranking/answers.js";
import { rankByReference } from "../stages/rank-stage.js";
import type { LoopConfig } from "./loop-config.js";

/** Ranks the answers to one request in place of people; undefined = not ranked. */
export type LoopRanker = (set: Answers, round: number) => Ranking | undefined;

/** The ranker that the configuration names; undefined = people, through files or the service. */
export function rankerFor(config: LoopConfig): LoopRanker | undefined {
  switch (config.ranker) {
    case "files":
    case "feedback":
      return undefined;
    case "reference":
      return (set) => rankByReference(set, { addReference: false });
    case "world":
      return worldRanker(config);
  }
}

/** The demo's raters: the world's rubric, seen through noise that depends on round and request. */
function worldRanker({ seed, ...config }: LoopConfig): LoopRanker {
  const world = worldOf(config);
  return ({ id, kind, prompt, answers }, round) => {
    const noise = createRandom(deriveSeed(seed, "raters", round));
    const request = { id, messages: prompt, ...(kind !== undefined && { kind }) };
    return world.rate(request, answers, noise.fork(id));
  };
}
