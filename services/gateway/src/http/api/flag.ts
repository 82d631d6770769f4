/** What is wrong with an answer; the first eight mean that it does harm. */
export type FlagCategory =
  | "violence"
  | "self-harm"
  | "hate"
  | "sexual"
  | "illegal"
  | "privacy"
  | "dangerous-advice"
  | "harmful-other"
  | "false"
  | "unhelpful"
  | "other";

/** What a stored flag is known by. */
export interface FlagStored {
  flagId: string;
}
