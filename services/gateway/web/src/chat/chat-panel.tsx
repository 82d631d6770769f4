import { useState } from "preact/hooks";
import type { VoteStored } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { useSubmissionId } from "../api/use-submission-id.js";
import { GrowingAnswer } from "../ui/growing-answer.js";
import { MessageBox } from "../ui/message-box.js";
import { ModelChoice } from "../ui/model-choice.js";
import { EmptyState, ErrorNotice } from "../ui/notice.js";
import { useAction } from "../ui/use-load.js";
import { useAnswer } from "../ui/use-answer.js";
import {
  addTurn,
  branchOf,
  EMPTY_CHAT,
  showVersion,
  turnsFor,
  versionsOf,
  type ChatNode,
  type ChatTree,
} from "./chat-tree.js";
import { ChatTurn } from "./chat-turn.js";
import { DEFAULT_SETTINGS, SamplingForm } from "./sampling-form.js";

/** A conversation with one version that can branch at every turn. */
export function ChatPanel() {
  const [tree, setTree] = useState(EMPTY_CHAT);
  const [settings, setSettings] = useState(DEFAULT_SETTINGS);
  const [votes, setVotes] = useState<Readonly<Record<string, "up" | "down">>>({});
  const writer = useAnswer("chat/answers");
  const { run, error } = useAction();
  const submission = useSubmissionId();
  const isBusy = writer.text !== null;

  const answer = async (asked: ChatTree, below: number) => {
    const { model, setting, ...sampling } = settings;
    const said = await writer.ask({ turns: turnsFor(asked, below, setting), model, sampling });
    if (!said) return;
    const answerId = said.isWhole ? said.answerId : "";
    setTree(addTurn(asked, below, { role: "assistant", content: said.text, answerId }).tree);
  };
  const say = (parent: number | null, content: string) => {
    const added = addTurn(tree, parent, { role: "user", content, answerId: "" });
    setTree(added.tree);
    void answer(added.tree, added.id);
  };
  const again = (node: ChatNode) => {
    const asked = { ...tree, leaf: node.parent };
    setTree(asked);
    void answer(asked, node.parent!);
  };
  const rate = (answerId: string, vote: "up" | "down") =>
    run(async () => {
      const body = { submissionId: submission.current(), answerId, vote, than: null, comment: "" };
      await request<VoteStored>("POST", "chat/votes", body);
      submission.renew();
      setVotes((all) => ({ ...all, [answerId]: vote }));
    });
  const last = branchOf(tree).at(-1);
  const isUnanswered = last?.role === "user" && !isBusy;
  return (
    <>
      <ModelChoice
        label="Version"
        value={settings.model}
        onChange={(model) => setSettings({ ...settings, model })}
      />
      <SamplingForm settings={settings} onChange={setSettings} />
      {!last && (
        <EmptyState title="Nothing said yet">
          <p>Ask a question below, such as one that you know the answer to.</p>
        </EmptyState>
      )}
      <ol class="turns" aria-label="Conversation">
        {branchOf(tree).map((node) => (
          <ChatTurn
            key={node.id}
            {...{ node, isBusy, vote: votes[node.answerId] }}
            versions={versionsOf(tree, node.id)}
            onVersion={(id) => setTree(showVersion(tree, id))}
            onEdit={(content) => say(node.parent, content)}
            onAgain={() => again(node)}
            onVote={(vote) => void rate(node.answerId, vote)}
          />
        ))}
      </ol>
      {isBusy && <GrowingAnswer text={writer.text!} onStop={writer.stop} />}
      <ErrorNotice
        error={writer.error ?? error}
        {...(isUnanswered ? { retry: () => answer(tree, last.id) } : {})}
      />
      <MessageBox
        label="Your message"
        button="Send"
        isBusy={isBusy}
        onSend={(text) => say(tree.leaf, text)}
      />
    </>
  );
}
