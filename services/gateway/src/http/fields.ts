import { z } from "zod";

/** Texts that the database can keep: no NUL. */
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes("\0"), "has a NUL character; take it out");

export const id = text(128).min(1);
export const submissionId = z.uuid();
export const comment = text(10_000);
export const ranks = z.array(z.int().min(1).max(64)).min(2).max(64);

export const turn = z.strictObject({
  role: z.enum(["system", "user", "assistant"]),
  content: text(200_000),
});
export const turns = z.array(turn).min(1).max(200);

/** Turns that a model is to answer. */
export const openTurns = turns.refine(
  (list) => list.at(-1)?.role === "user" && list.at(-1)?.content.trim() !== "",
  "must end with a turn of the user that says something",
);

export const flagCategory = z.enum([
  ...["violence", "self-harm", "hate", "sexual", "illegal", "privacy", "dangerous-advice"],
  ...["harmful-other", "false", "unhelpful", "other"],
] as const);
export const role = z.enum(["rater", "writer", "operator", "admin"]);
export const personName = text(80).trim().min(1);
export const after = z.object({ after: z.string().regex(/^\d*$/).max(12).default("") });
