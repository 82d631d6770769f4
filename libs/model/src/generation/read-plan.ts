import type { Active, Group } from "./active.js";
import { numCommon, SHARE_AT_LEAST } from "./slot-pool.js";

/** What one step reads. */
export interface ReadPlan {
  /** Beginnings that another slot holds: to be copied before anything is read. */
  readonly copies: { from: Active; to: Active; length: number }[];
  /** The next part of prompts that are too long for this step. */
  readonly parts: { active: Active; numTokens: number }[];
  /** Sequences whose next token is drawn in this step, those with equal tokens together. */
  readonly groups: Group[];
}

export interface ReadPlanOptions {
  /** Prompt tokens of one step. */
  maxPrefillTokens: number;
  /** Whether equal beginnings are read once. */
  share: boolean;
}

/** A sequence waits for another one to read what both begin with, if it saves so many tokens. */
const WAIT_AT_LEAST = 32;

/**
 * One token for every sequence that is being answered; of prompts, in the order they came, as many
 * tokens as the step allows, the last of them in part. Each prompt looks for an earlier sequence that
 * begins alike: it copies what that one holds, or waits while that one is still reading it. The first
 * prompt never waits, so every step gets on.
 */
export function planReads(actives: Iterable<Active>, options: ReadPlanOptions): ReadPlan {
  const planner = new Planner(options);
  for (const active of actives) planner.add(active);
  return planner;
}

class Planner implements ReadPlan {
  readonly copies: ReadPlan["copies"] = [];
  readonly parts: ReadPlan["parts"] = [];
  readonly groups: Group[] = [];
  private readonly groupOfTokens = new Map<string, Group>();
  private readonly earlier: Active[] = [];
  private budget: number;

  constructor(private readonly options: ReadPlanOptions) {
    this.budget = options.maxPrefillTokens;
  }

  add(active: Active): void {
    const { numPending, numDecoded } = active.sequence;
    if (numPending === 1) this.groups.push([active]);
    else if (this.options.share) this.addShared(active);
    else this.read(active, numDecoded);
    this.earlier.push(active);
  }

  private addShared(active: Active): void {
    const { ids, numDecoded } = active.sequence;
    const tokens = ids.join();
    const group = this.groupOfTokens.get(tokens);
    if (group) {
      group.push(active);
      return;
    }
    const source = this.likest(active);
    const isHeld = source && source.length <= source.active.sequence.numDecoded;
    if (source && !isHeld && source.length - numDecoded >= WAIT_AT_LEAST) return;
    const { length } = isHeld ? source : { length: numDecoded };
    if (isHeld) this.copies.push({ from: source.active, to: active, length });
    const started = this.read(active, length);
    if (started) this.groupOfTokens.set(tokens, started);
  }

  /** Takes what the budget has for tokens from `numHeld` on; the group if that is all of them. */
  private read(active: Active, numHeld: number): Group | undefined {
    const numPending = active.sequence.ids.length - numHeld;
    const numTokens = Math.min(numPending, this.budget);
    this.budget -= numTokens;
    if (numTokens === numPending) {
      const group: Group = [active];
      this.groups.push(group);
      return group;
    }
    if (numTokens > 0) this.parts.push({ active, numTokens });
    return undefined;
  }

  /** The earlier sequence with the longest common beginning, if that saves enough. */
  private likest({ sequence }: Active) {
    let best: { active: Active; length: number } | undefined;
    const atLeast = sequence.numDecoded + SHARE_AT_LEAST;
    for (const active of this.earlier) {
      const { ids } = active.sequence;
      // Its last token is read only when the next one is drawn.
      const length = numCommon(sequence.ids, ids, ids.length - 1);
      if (length >= atLeast && length > (best?.length ?? 0)) best = { active, length };
    }
    return best;
  }
}
