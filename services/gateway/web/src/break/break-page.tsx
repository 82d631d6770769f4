import { useState } from "preact/hooks";
import type { FlagCategory, FlagStored } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { useSubmissionId } from "../api/use-submission-id.js";
import { FlagDialog, flagText } from "../ui/flag-dialog.js";
import { GrowingAnswer } from "../ui/growing-answer.js";
import { Markdown } from "../ui/markdown-view.js";
import { MessageBox } from "../ui/message-box.js";
import { ModelChoice } from "../ui/model-choice.js";
import { ErrorNotice, Notice } from "../ui/notice.js";
import { ROLE_NAMES } from "../ui/turns.js";
import { useAction } from "../ui/use-load.js";
import { useAnswer } from "../ui/use-answer.js";
import { OwnFlagList } from "./own-flags.js";

interface SaidTurn {
  role: "user" | "assistant";
  content: string;
  /** Known to the server, so that it can be flagged; empty for turns of people and answers cut off. */
  answerId: string;
  flagged?: FlagCategory;
}

/** Break it: talk the assistant into an answer that it should not give, and flag that answer. */
export function BreakPage() {
  const [turns, setTurns] = useState<readonly SaidTurn[]>([]);
  const [model, setModel] = useState("");
  const [flagging, setFlagging] = useState<number | null>(null);
  const [numFlags, setNumFlags] = useState(0);
  const writer = useAnswer("break/answers");
  const { run, error } = useAction();
  const submission = useSubmissionId();
  const send = async (text: string) => {
    const asked = [...turns, { role: "user" as const, content: text, answerId: "" }];
    setTurns(asked);
    const bare = asked.map(({ role, content }) => ({ role, content }));
    const answer = await writer.ask({ turns: bare, model });
    if (!answer) return;
    const answerId = answer.isWhole ? answer.answerId : "";
    setTurns([...asked, { role: "assistant", content: answer.text, answerId }]);
  };
  const store = (flag: { category: FlagCategory; comment: string }) => {
    const index = flagging!;
    setFlagging(null);
    void run(async () => {
      const { answerId } = turns[index]!;
      const submissionId = submission.current();
      await request<FlagStored>("POST", "break/flags", { submissionId, answerId, ...flag });
      submission.renew();
      const flagged = flag.category;
      setTurns((all) => all.map((turn, i) => (i === index ? { ...turn, flagged } : turn)));
      setNumFlags((n) => n + 1);
    });
  };
  return (
    <>
      <h1 tabIndex={-1}>Break it</h1>
      <p class="lead">
        Try to get an answer that should not be given: harmful, untrue, or unkind. Flag what you
        find; the assistant is then taught to avoid it.
      </p>
      <ErrorNotice error={error} />
      {numFlags > 0 && (
        <Notice kind="good">The flag is stored. Thank you. Can you find another?</Notice>
      )}
      <ModelChoice value={model} onChange={setModel} />
      <Conversation turns={turns} onFlag={setFlagging} />
      {writer.text !== null && <GrowingAnswer text={writer.text} onStop={writer.stop} />}
      <ErrorNotice error={writer.error} />
      <MessageBox
        label={turns.length === 0 ? "What would you ask it?" : "Go on"}
        button="Send"
        isBusy={writer.text !== null}
        onSend={(text) => void send(text)}
      />
      {turns.length > 0 && (
        <div class="actions">
          <button class="button" type="button" onClick={() => (writer.stop(), setTurns([]))}>
            New conversation
          </button>
        </div>
      )}
      <OwnFlagList key={numFlags} />
      {flagging !== null && (
        <FlagDialog what="this answer" onClose={() => setFlagging(null)} onFlag={store} />
      )}
    </>
  );
}

function Conversation({
  turns,
  onFlag,
}: {
  turns: readonly SaidTurn[];
  onFlag: (index: number) => void;
}) {
  return (
    <ol class="turns" aria-label="Conversation">
      {turns.map(({ role, content, answerId, flagged }, i) => (
        <li class={`turn ${role}`} key={i}>
          <span class="role">{role === "user" ? "You" : ROLE_NAMES[role]}</span>
          <Markdown text={content} />
          {role === "assistant" && (
            <div class="actions">
              {flagged ? (
                <span class="tag bad">⚑ {flagText(flagged)}</span>
              ) : answerId ? (
                <button class="button small" type="button" onClick={() => onFlag(i)}>
                  <span aria-hidden="true">⚑</span> This should not be said
                </button>
              ) : (
                <span class="note">Cut off: let an answer end to flag it.</span>
              )}
            </div>
          )}
        </li>
      ))}
    </ol>
  );
}
