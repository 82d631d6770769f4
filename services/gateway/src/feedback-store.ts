import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { openJournal, type Journal } from "./journal.js";
import { RaterWords } from "./rater-words.js";

/** What people said and what they are asked about, in the order it came; kept on disk. */
export interface FeedbackStore extends AsyncDisposable {
  /**
   * Stores feedback; what is stored already under this id is returned as it is, or refused with
   * `already_exists` if it says something else.
   */
  add(entry: feedback.Feedback): Promise<feedback.Feedback>;
  /** Stores comparisons whose ids are new; returns how many were. */
  addComparisons(comparisons: readonly feedback.Comparison[]): Promise<number>;
  all(): readonly feedback.Feedback[];
  comparisons(): readonly feedback.Comparison[];
  comparison(id: string): feedback.Comparison | undefined;
  /** Who ranked what, and which rankings stand. */
  readonly words: Pick<RaterWords, "isRevised" | "numRaters" | "hasRanked">;
  close(): Promise<void>;
}

/** Opens the store of a folder; `feedback.jsonl` holds everything. One process at a time. */
export async function openFeedbackStore(dir: string): Promise<FeedbackStore> {
  await mkdir(dir, { recursive: true });
  const store = new JournalStore();
  const journal = await openJournal(join(dir, "feedback.jsonl"), (record) => store.replay(record));
  return store.writingTo(journal);
}

type JournalRecord = { feedback: unknown } | { comparison: unknown };

class JournalStore implements FeedbackStore {
  private readonly feedback = new Map<string, feedback.Feedback>();
  private readonly asked = new Map<string, feedback.Comparison>();
  readonly words = new RaterWords();
  private journal!: Journal;
  /** Ids that are being written: a repeat waits for the first. */
  private readonly writing = new Map<string, Promise<unknown>>();

  writingTo(journal: Journal): this {
    this.journal = journal;
    return this;
  }

  replay(record: unknown): void {
    const parsed = record as JournalRecord;
    if ("feedback" in parsed) this.remember(feedback.Feedback.fromJSON(parsed.feedback));
    else this.rememberComparison(feedback.Comparison.fromJSON(parsed.comparison));
  }

  async add(entry: feedback.Feedback): Promise<feedback.Feedback> {
    await this.writing.get(entry.feedbackId);
    const known = this.feedback.get(entry.feedbackId);
    if (known) return sameOrThrow(known, entry);
    await this.write(entry.feedbackId, [{ feedback: feedback.Feedback.toJSON(entry) }]);
    this.remember(entry);
    return entry;
  }

  async addComparisons(comparisons: readonly feedback.Comparison[]): Promise<number> {
    await this.writing.get("comparisons");
    const news = new Map(
      comparisons.filter((c) => !this.asked.has(c.comparisonId)).map((c) => [c.comparisonId, c]),
    );
    const records = [...news.values()].map((c) => ({ comparison: feedback.Comparison.toJSON(c) }));
    await this.write("comparisons", records);
    for (const comparison of news.values()) this.rememberComparison(comparison);
    return news.size;
  }

  all(): readonly feedback.Feedback[] {
    return [...this.feedback.values()];
  }

  comparisons(): readonly feedback.Comparison[] {
    return [...this.asked.values()];
  }

  comparison(id: string): feedback.Comparison | undefined {
    return this.asked.get(id);
  }

  close(): Promise<void> {
    return this.journal.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async write(key: string, records: readonly JournalRecord[]): Promise<void> {
    const written = this.journal.append(records);
    const settled = written.catch(() => undefined).then(() => this.writing.delete(key));
    this.writing.set(key, settled);
    await written;
  }

  private remember(entry: feedback.Feedback): void {
    this.feedback.set(entry.feedbackId, entry);
    this.words.add(entry);
  }

  private rememberComparison(comparison: feedback.Comparison): void {
    this.asked.set(comparison.comparisonId, comparison);
  }
}

/** A repeat of a submission is answered as the first; another one under its id is a mistake. */
function sameOrThrow(known: feedback.Feedback, entry: feedback.Feedback): feedback.Feedback {
  const essence = (f: feedback.Feedback) => {
    return JSON.stringify(feedback.Feedback.toJSON({ ...f, createdAt: undefined }));
  };
  if (essence(known) === essence(entry)) return known;
  throw new StagecraftError(
    "already_exists",
    `feedback_id ${entry.feedbackId} is taken by other feedback; choose another id`,
  );
}
