import { createHash } from "node:crypto";
import type { feedback } from "@stagecraft/contracts";

/** Who ranked what, and which of a rater's rankings of the same answers stands: the last. */
export class RaterWords {
  /** By rater and what was ranked: the id of the last ranking. */
  private readonly standing = new Map<string, string>();
  private readonly raters = new Map<string, Set<string>>();

  /** Takes in feedback in the order in which it came; only rankings matter. */
  add({ feedbackId, comparisonId, origin, body }: feedback.Feedback): void {
    if (body?.$case !== "ranking") return;
    const rater = origin?.rater ?? "";
    if (rater !== "") this.standing.set(wordKey(rater, body.value), feedbackId);
    if (comparisonId === "") return;
    const raters = this.raters.get(comparisonId) ?? new Set();
    this.raters.set(comparisonId, raters.add(rater || `nameless ${feedbackId}`));
  }

  /** Whether its rater has ranked the same answers again since. */
  isRevised({ feedbackId, origin, body }: feedback.Feedback): boolean {
    const rater = origin?.rater ?? "";
    if (rater === "" || body?.$case !== "ranking") return false;
    return this.standing.get(wordKey(rater, body.value)) !== feedbackId;
  }

  /** People who ranked it; those without a name count one for each ranking. */
  numRaters(comparisonId: string): number {
    return this.raters.get(comparisonId)?.size ?? 0;
  }

  hasRanked(rater: string, comparisonId: string): boolean {
    return this.raters.get(comparisonId)?.has(rater) ?? false;
  }
}

/** The same for one rater's rankings of the same answers to the same prompt, in whatever order. */
function wordKey(rater: string, { prompt, answers }: feedback.Ranking): string {
  const turns = prompt?.messages.map(({ role, content }) => [role, content]) ?? [];
  const matter = JSON.stringify([rater, turns, [...answers].sort()]);
  return createHash("sha256").update(matter).digest("base64");
}
