import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { acquireDirectoryLock } from "@stagecraft/checkpoint";
import { feedback } from "@stagecraft/contracts";
import { createSerialQueue, StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import { openJournal, type Journal } from "./journal.js";
import { RaterWords } from "../feedback/rater-words.js";

/** What people said and what they are asked about, in the order it came; kept on disk. */
export interface FeedbackStore extends AsyncDisposable {
  /**
   * Stores feedback; what is stored already under this id is returned as it is, or refused with
   * `already_exists` if it says something else.
   */
  add(entry: feedback.Feedback): Promise<feedback.Feedback>;
  /**
   * Stores comparisons whose ids are new; returns how many were. Refuses all with `already_exists`
   * if one of the ids stands for something else.
   */
  addComparisons(comparisons: readonly feedback.Comparison[]): Promise<number>;
  all(): readonly feedback.Feedback[];
  comparisons(): readonly feedback.Comparison[];
  comparison(id: string): feedback.Comparison | undefined;
  /** Who ranked what, and which rankings stand. */
  readonly words: Pick<RaterWords, "isRevised" | "numRaters" | "hasRanked">;
  close(): Promise<void>;
}

/**
 * Opens the store of a folder; `feedback.jsonl` holds everything. Throws `failed_precondition` while
 * another process has the folder.
 */
export async function openFeedbackStore(
  dir: string,
  { logger = silentLogger() }: { logger?: Logger } = {},
): Promise<FeedbackStore> {
  await mkdir(dir, { recursive: true });
  const lock = await acquireDirectoryLock(dir, { file: "feedback.lock", what: "feedback folder" });
  const store = new JournalStore();
  try {
    const journal = await openJournal(join(dir, "feedback.jsonl"), {
      onRecord: (record) => store.replay(record),
      onCut: (file) => logger.warn({ file }, "feedback: half a last record was put aside"),
    });
    return store.writingTo(journal, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

type JournalRecord = { feedback: unknown } | { comparison: unknown };

class JournalStore implements FeedbackStore {
  private readonly feedback = new Map<string, feedback.Feedback>();
  private readonly asked = new Map<string, feedback.Comparison>();
  readonly words = new RaterWords();
  private journal!: Journal;
  private release!: () => Promise<void>;
  /** One write after another: each looks at what is stored by then. */
  private readonly writes = createSerialQueue();

  writingTo(journal: Journal, release: () => Promise<void>): this {
    this.journal = journal;
    this.release = release;
    return this;
  }

  replay(record: unknown): void {
    const parsed = record as JournalRecord;
    if ("feedback" in parsed) this.remember(feedback.Feedback.fromJSON(parsed.feedback));
    else this.rememberComparison(feedback.Comparison.fromJSON(parsed.comparison));
  }

  add(entry: feedback.Feedback): Promise<feedback.Feedback> {
    return this.writes.run(async () => {
      const known = this.feedback.get(entry.feedbackId);
      if (known) return sameOrThrow(known, entry);
      await this.journal.append([{ feedback: feedback.Feedback.toJSON(entry) }]);
      this.remember(entry);
      return entry;
    });
  }

  addComparisons(comparisons: readonly feedback.Comparison[]): Promise<number> {
    return this.writes.run(async () => {
      const news = new Map<string, feedback.Comparison>();
      for (const comparison of comparisons) {
        const { comparisonId: id } = comparison;
        const known = this.asked.get(id) ?? news.get(id);
        if (known) sameComparisonOrThrow(known, comparison);
        else news.set(id, comparison);
      }
      const stored = [...news.values()];
      await this.journal.append(stored.map((c) => ({ comparison: feedback.Comparison.toJSON(c) })));
      for (const comparison of stored) this.rememberComparison(comparison);
      return news.size;
    });
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

  async close(): Promise<void> {
    await this.journal.close();
    await this.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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

function sameComparisonOrThrow(known: feedback.Comparison, given: feedback.Comparison): void {
  const essence = (c: feedback.Comparison) => JSON.stringify(feedback.Comparison.toJSON(c));
  if (essence(known) === essence(given)) return;
  throw new StagecraftError(
    "already_exists",
    `comparison_id ${given.comparisonId} is taken by another prompt or other answers; choose another id`,
  );
}
