import type { PromptRecord } from "@stagecraft/data";

export interface NormalizeOptions {
  /** Sentences that may stand around an answer without changing it; removed as they are spelled. */
  readonly courtesies?: readonly string[];
}

/**
 * The words of an answer in lower case, single-spaced: courtesies, punctuation and case do not count.
 */
export function normalizeAnswer(text: string, { courtesies = [] }: NormalizeOptions = {}): string {
  let rest = text;
  for (const courtesy of courtesies) rest = rest.replaceAll(courtesy, " ");
  return (rest.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(" ");
}

/** Whether the answer is one of `accepted`; undefined for a prompt that has no exact answer. */
export function isExactMatch(
  record: Pick<PromptRecord, "accepted">,
  answer: string,
  options: NormalizeOptions = {},
): boolean | undefined {
  if (record.accepted === undefined || record.accepted.length === 0) return undefined;
  const given = normalizeAnswer(answer, options);
  return record.accepted.some((form) => normalizeAnswer(form) === given);
}

export interface MatchCount {
  readonly matches: number;
  readonly total: number;
  /** matches / total; absent over no answer. */
  readonly rate?: number;
}

/** Counts per kind of prompt and over all (`overall`); prompts without exact answer are left out. */
export function countMatches(
  answers: readonly { kind?: string | undefined; exact?: boolean | undefined }[],
): { byKind: Record<string, MatchCount>; overall: MatchCount } {
  const judged = answers.filter(({ exact }) => exact !== undefined);
  const kinds = [...new Set(judged.map(({ kind }) => kind ?? "other"))];
  const count = (some: typeof judged): MatchCount => {
    const matches = some.filter(({ exact }) => exact).length;
    const total = some.length;
    return { matches, total, ...(total > 0 && { rate: matches / total }) };
  };
  const ofKind = (kind: string) => judged.filter((answer) => (answer.kind ?? "other") === kind);
  return {
    byKind: Object.fromEntries(kinds.map((kind) => [kind, count(ofKind(kind))])),
    overall: count(judged),
  };
}
