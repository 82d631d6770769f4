import { useState } from "preact/hooks";
import type { ServedModels, Turn, VoteStored } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { useSubmissionId } from "../api/use-submission-id.js";
import { GrowingAnswer } from "../ui/growing-answer.js";
import { Markdown } from "../ui/markdown-view.js";
import { MessageBox } from "../ui/message-box.js";
import { EmptyState, ErrorNotice, Loading, Notice } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";
import { useAnswer } from "../ui/use-answer.js";
import { DEFAULT_SETTINGS } from "./sampling-form.js";

interface Side {
  modelId: string;
  text: string;
  answerId: string;
}

interface Duel {
  question: string;
  sides: [Side, Side] | null;
  /** The side that was voted for; the names are shown from then on. */
  winner: number | null;
}

/** Two versions answer the same question in an order that nobody knows; the vote becomes a pair. */
export function SideBySide() {
  const { data, error, reload } = useLoad<ServedModels>("models");
  const [chosen, setChosen] = useState<readonly [string, string] | null>(null);
  const [duel, setDuel] = useState<Duel | null>(null);
  const writers = [useAnswer("chat/answers"), useAnswer("chat/answers")] as const;
  const { run, error: failed } = useAction();
  const submission = useSubmissionId();
  if (error) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return <Loading />;
  if (data.models.length < 2) return <OneVersion />;
  const models = data.models;
  const labelOf = (id: string) => models.find((model) => model.id === id)?.label ?? id;
  const pair = chosen ?? ([models[0]!.id, models[1]!.id] as const);
  const isBusy = writers.some((writer) => writer.text !== null);

  const ask = async (question: string) => {
    setDuel({ question, sides: null, winner: null });
    const order =
      crypto.getRandomValues(new Uint8Array(1))[0]! % 2 === 0 ? pair : [pair[1], pair[0]];
    const turns: Turn[] = [{ role: "user", content: question }];
    const { temperature, topP, maxTokens, seed } = DEFAULT_SETTINGS;
    const sampling = { temperature, topP, maxTokens, seed };
    const answers = await Promise.all(
      writers.map((writer, i) => writer.ask({ turns, model: order[i], sampling })),
    );
    const sides = answers.map((answer, i) => ({
      modelId: order[i]!,
      text: answer?.text ?? "",
      answerId: answer?.isWhole ? answer.answerId : "",
    }));
    setDuel({ question, sides: sides as [Side, Side], winner: null });
  };
  const voteFor = (winner: number) =>
    run(async () => {
      const [better, worse] = [duel!.sides![winner]!, duel!.sides![1 - winner]!];
      const { answerId } = better;
      const body = {
        submissionId: submission.current(),
        answerId,
        vote: "better",
        than: worse.answerId,
        comment: "",
      };
      await request<VoteStored>("POST", "chat/votes", body);
      submission.renew();
      setDuel({ ...duel!, winner });
    });
  const canVote = duel?.sides?.every(({ answerId }) => answerId !== "") && duel.winner === null;
  const choose = (at: 0 | 1, id: string) => setChosen(at === 0 ? [id, pair[1]] : [pair[0], id]);
  return (
    <>
      <div class="row">
        {([0, 1] as const).map((at) => (
          <label class="field" key={at}>
            <span>{at === 0 ? "One version" : "The other"}</span>
            <select value={pair[at]} onChange={(event) => choose(at, event.currentTarget.value)}>
              {models.map(({ id, label }) => (
                <option value={id} key={id}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        ))}
      </div>
      {duel && (
        <div class="turn user">
          <span class="role">You</span>
          <Markdown text={duel.question} />
        </div>
      )}
      {duel && (
        <div class="sides">
          {writers.map((writer, i) => {
            const side = duel.sides?.[i];
            return (
              <section key={i} aria-label={`Answer ${i + 1}`}>
                {writer.text !== null && <GrowingAnswer text={writer.text} onStop={writer.stop} />}
                <ErrorNotice error={writer.error} />
                {side && (side.text !== "" || side.answerId !== "") && (
                  <div class="turn assistant">
                    <span class="role">
                      Answer {i + 1}
                      {duel.winner !== null && (
                        <>
                          {" "}
                          by <bdi>{labelOf(side.modelId)}</bdi>
                        </>
                      )}
                    </span>
                    {side.text === "" ? (
                      <p class="soft">It answered without a word.</p>
                    ) : (
                      <Markdown text={side.text} />
                    )}
                    {canVote && (
                      <div class="actions">
                        <button class="button small" type="button" onClick={() => void voteFor(i)}>
                          Answer {i + 1} is better
                        </button>
                      </div>
                    )}
                    {duel.winner === i && <span class="tag good">better</span>}
                  </div>
                )}
              </section>
            );
          })}
        </div>
      )}
      <ErrorNotice error={failed} />
      {duel?.winner != null && (
        <Notice kind="good">
          {duel.sides![0]!.text === duel.sides![1]!.text
            ? "The vote is stored. Both answers say the same: there is nothing to learn from. Ask again?"
            : "Stored as a pair to learn from. Ask again?"}
        </Notice>
      )}
      <MessageBox
        label="A question for both"
        button="Ask both"
        isBusy={isBusy}
        onSend={(text) => void ask(text)}
      />
    </>
  );
}

function OneVersion() {
  return (
    <EmptyState title="Only one version is served">
      <p>Side by side needs two. After the next round there is a new one to compare with.</p>
    </EmptyState>
  );
}
