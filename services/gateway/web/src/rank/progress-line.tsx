import type { RankProgress } from "../../../src/http/api/index.js";
import { count, seconds } from "../ui/format.js";

/** How far the round is, and what this person has done. */
export function ProgressLine({
  progress: { round, mine, waitingForMe },
}: {
  progress: RankProgress;
}) {
  const isWaiting = round !== null && round.needed !== null;
  return (
    <div class="progress-line">
      {isWaiting && (
        <>
          <span>
            <b class="num">{round.have}</b> of <b class="num">{round.needed}</b> rankings until the
            next reward model (round {round.number})
          </span>
          <progress
            max={round.needed!}
            value={Math.min(round.have, round.needed!)}
            aria-label="Rankings of this round"
          />
        </>
      )}
      <span class="soft num">
        You: {count(mine.today, "ranking")} today, {mine.total.toLocaleString("en")} in all
        {mine.paceSeconds !== null && `, about ${seconds(mine.paceSeconds)} each`}.{" "}
        {count(waitingForMe, "comparison waits", "comparisons wait")} for you.
      </span>
    </div>
  );
}
