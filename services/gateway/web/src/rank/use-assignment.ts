import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type {
  Assignment,
  FlagAnswer,
  NextAssignment,
  RankingGiven,
  RankingStored,
  RankProgress,
  SkipAssignment,
  Skipped,
} from "../../../src/http/api/index.js";
import { ApiError, request } from "../api/client.js";
import { useSubmissionId } from "../api/use-submission-id.js";
import { useAction } from "../ui/use-load.js";
import { createStopwatch } from "./stopwatch.js";
import { isSameRanking } from "./ranking-given.js";

/** One person's place in the queue: what is in hand, how far it is, and what can be done with it. */
export interface AssignmentDesk {
  assignment: Assignment | null | undefined;
  /** Why there is nothing in hand. */
  reason: string;
  progress: RankProgress | undefined;
  isBusy: boolean;
  error: ApiError | undefined;
  /** What has just been done, for the live region. */
  said: string;
  next: () => Promise<void>;
  undo: () => Promise<void>;
  submit: (given: RankingGiven) => Promise<void>;
  skip: (reason: Pick<SkipAssignment, "reason" | "comment">) => Promise<void>;
  flag: (flag: Omit<FlagAnswer, "submissionId">) => Promise<void>;
}

/** Asks for the first assignment at once; after each submission or skip for the next. */
export function useAssignment(): AssignmentDesk {
  const [hand, setHand] = useState<Omit<NextAssignment, "progress">>();
  const [progress, setProgress] = useState<RankProgress>();
  const [said, setSaid] = useState("");
  const { run, isBusy, error } = useAction();
  // Of its own: who flags and goes on at once loses nothing while the flag is on its way.
  const flagging = useAction();
  const watch = useRef(createStopwatch());
  const submission = useSubmissionId();
  const flagSubmission = useSubmissionId();

  const take = useCallback((taken: NextAssignment) => {
    setProgress(taken.progress);
    setHand({ assignment: taken.assignment, reason: taken.reason });
    watch.current.restart();
    submission.renew();
  }, []);
  const fetchNext = useCallback(
    async () => take(await request<NextAssignment>("POST", "rank/next")),
    [],
  );
  const next = useCallback(() => run(fetchNext), []);
  useEffect(() => void next(), []);

  const post = async <T>(what: string, body: object): Promise<T> => {
    const id = hand?.assignment?.assignmentId ?? "";
    const path = `rank/assignments/${encodeURIComponent(id)}/${what}`;
    return request<T>("POST", path, { submissionId: submission.current(), ...body });
  };
  return {
    ...{ assignment: hand?.assignment, reason: hand?.reason ?? "" },
    ...{ progress, isBusy, error: error ?? flagging.error, said, next },
    undo: () =>
      run(async () => {
        take(await request<NextAssignment>("POST", "rank/undo"));
        setSaid("Back to the comparison before. Submit it again to change it.");
      }),
    submit: (given) =>
      run(async () => {
        const elapsedMs = watch.current.elapsedMs();
        const answer = await post<RankingStored>("submit", { ...given, elapsedMs });
        if (!isSameRanking(answer.stored, given)) throw storedAnotherRanking();
        setSaid("Stored. Here is the next one.");
        await fetchNext();
      }),
    skip: (reason) =>
      run(async () => {
        await post<Skipped>("skip", reason);
        setSaid("Skipped. Here is the next one.");
        await fetchNext();
      }),
    flag: (flag) =>
      flagging.run(async () => {
        await post("flag", { ...flag, submissionId: flagSubmission.current() });
        flagSubmission.renew();
        setSaid("The flag is stored. Thank you.");
      }),
  };
}

function storedAnotherRanking(): ApiError {
  return new ApiError(
    "data_loss",
    "The server stored other ranks than those on the screen.",
    "Press U to take this comparison back, and tell the operator.",
  );
}
