import type { LoopRound, LoopStatus, LoopNeed, ServedModels } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { dateTime, decimal, howLong, percent } from "../ui/format.js";
import { EmptyState, ErrorNotice, Loading, Notice } from "../ui/notice.js";
import { useAction, useLoad, useRefresh } from "../ui/use-load.js";

const REFRESH_MS = 5000;
/** A loop that computes speaks more often. */
const QUIET_SECONDS = 60;

/** Where the loop is, what it waits for, and what its rounds brought. */
export function LoopSection() {
  const { data, error, reload, setData } = useLoad<LoopStatus>("loop");
  const { run, error: failed, isBusy } = useAction();
  useRefresh(reload, REFRESH_MS);
  const post = (what: "start" | "stop") =>
    void run(async () => setData(await request<LoopStatus>("POST", `loop/${what}`)));
  if (error && !data) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return <Loading />;
  if (data.state === "off") return <NoLoop />;
  return (
    <section>
      <h2>
        Round {data.round} <span class="tag">{data.state}</span>
      </h2>
      <p>{data.text}</p>
      {data.silentSeconds !== null && data.silentSeconds >= QUIET_SECONDS && (
        <Notice>
          <p>
            Nothing was heard of this loop for {howLong(data.silentSeconds)}. It speaks when
            something changes; if its process has ended, start it again with <code>--resume</code>.
          </p>
        </Notice>
      )}
      {data.failure && (
        <div class="notice bad" role="alert">
          <p>
            <strong>{data.failure.message}</strong>
          </p>
          <p>{data.failure.advice}</p>
        </div>
      )}
      {data.progress !== null && (
        <progress max={1} value={data.progress} aria-label="Progress of this step" />
      )}
      {data.waitsFor.length > 0 && <Needs needs={data.waitsFor} />}
      <ErrorNotice error={failed} />
      <div class="actions">
        <button
          class="button primary"
          type="button"
          disabled={isBusy || data.isRunning}
          onClick={() => post("start")}
        >
          Start a round
        </button>
        <button
          class="button"
          type="button"
          disabled={isBusy || !data.isRunning}
          onClick={() => post("stop")}
        >
          Stop at the next checkpoint
        </button>
        <span class="soft">
          {data.automatic
            ? "When a round has ended well, the next begins by itself."
            : "Rounds start when you say so."}
        </span>
      </div>
      <Rounds rounds={data.rounds} />
      <Versions key={`${data.state} ${data.round}`} />
    </section>
  );
}

function NoLoop() {
  return (
    <EmptyState title="No rounds here">
      <p>
        This gateway runs without a loop beside it, so nothing is learned by itself. Start{" "}
        <code>npx stagecraft studio</code>, or <code>npx stagecraft loop --ranker feedback</code>,
        to train on what people say.
      </p>
    </EmptyState>
  );
}

function Needs({ needs }: { needs: readonly LoopNeed[] }) {
  return (
    <ul class="needs" aria-label="What the round waits for">
      {needs.map(({ what, have, needed }) => (
        <li key={what}>
          <span>
            {have >= needed ? "✓ " : ""}
            {what}:{" "}
            <b class="num">
              {have} of {needed}
            </b>
          </span>
          <progress max={needed} value={Math.min(have, needed)} aria-label={what} />
        </li>
      ))}
    </ul>
  );
}

function Rounds({ rounds }: { rounds: readonly LoopRound[] }) {
  if (rounds.length === 0) return <p class="soft">No round has ended yet.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Rounds">
      <table>
        <thead>
          <tr>
            <th scope="col">Round</th>
            <th scope="col">Ended</th>
            <th scope="col" class="n">
              New rankings
            </th>
            <th scope="col" class="n">
              Reward model orders pairs as people do
            </th>
            <th scope="col" class="n">
              Score of its answers
            </th>
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {rounds.map((round) => (
            <tr key={round.round}>
              <th scope="row">{round.round}</th>
              <td>{dateTime(round.finishedAt)}</td>
              <td class="n">{round.newRankings}</td>
              <td class="n">{percent(round.rewardAccuracy)}</td>
              <td class="n">{decimal(round.evalScore)}</td>
              <td>
                {round.policyVersion && (
                  <span class="tag good">new version {round.policyVersion}</span>
                )}{" "}
                <span class="tag">{round.promoted ? "new reward model" : "reward model kept"}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Versions() {
  const { data, error, reload } = useLoad<ServedModels>("models");
  return (
    <>
      <h2>Versions that answer now</h2>
      <ErrorNotice error={error} retry={reload} />
      {data?.models.length === 0 && <p class="soft">No model is served.</p>}
      <ul>
        {data?.models.map(({ id, label, version }) => (
          <li key={id}>
            <bdi>{label}</bdi> {version && <code>{version}</code>}
          </li>
        ))}
      </ul>
    </>
  );
}
