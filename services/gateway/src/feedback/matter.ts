import { createHash } from "node:crypto";
import type { feedback } from "@stagecraft/contracts";

/** The same for one rater's rankings of the same answers to the same prompt, in whatever order. */
export function matterOf(rater: string, { prompt, answers }: feedback.Ranking): string {
  const turns = prompt?.messages.map(({ role, content }) => [role, content]) ?? [];
  const matter = JSON.stringify([rater, turns, [...answers].sort()]);
  return createHash("sha256").update(matter).digest("base64");
}
