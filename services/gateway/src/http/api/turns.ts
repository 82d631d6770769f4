export type TurnRole = "system" | "user" | "assistant";

/** One turn of a conversation; plain text or Markdown, never HTML. */
export interface Turn {
  role: TurnRole;
  content: string;
}

/** Of a list that goes on: give `next` as `?after=`; null at the end. */
export interface Paged<T> {
  items: T[];
  next: string | null;
}
