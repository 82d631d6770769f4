import { useState } from "preact/hooks";
import type { CreateDraft, Draft, Drafts, NextRequest } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { uuid } from "../api/uuid.js";
import { ErrorNotice, Notice } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";
import { DraftEditor } from "./draft-editor.js";
import { DraftList } from "./draft-list.js";
import { OwnDemonstrationList } from "./own-demonstrations.js";
import "./write.css";

/** Write: examples of ideal answers, for a request that is given or one of the writer's own. */
export function WritePage() {
  const drafts = useLoad<Drafts>("write/drafts");
  const [draft, setDraft] = useState<Draft | null>(null);
  const [said, setSaid] = useState("");
  const { run, error, isBusy } = useAction();
  const open = (opened: Draft | null, text = "") => {
    setDraft(opened);
    setSaid(text);
    void drafts.reload();
  };
  const create = async (body: Omit<CreateDraft, "submissionId">) => {
    open(await request<Draft>("POST", "write/drafts", { submissionId: uuid(), ...body }));
  };
  const takeRequest = () =>
    run(async () => {
      const { request: given } = await request<NextRequest>("POST", "write/next");
      if (!given) return setSaid("No request waits for you. Play the user yourself instead.");
      const turns = given.turns.map((turn) => ({ ...turn, answerId: null }));
      await create({ requestId: given.requestId, turns });
    });
  const playUser = () =>
    run(() => create({ requestId: null, turns: [{ role: "user", content: "", answerId: null }] }));
  const drop = (dropped: Draft) =>
    run(async () => {
      await request("DELETE", `write/drafts/${encodeURIComponent(dropped.draftId)}`);
      open(null, "The draft is gone.");
    });
  return (
    <>
      <h1 tabIndex={-1}>Write</h1>
      <p class="lead">
        Show how a good answer looks. The assistant learns from your example, word by word.
      </p>
      <ErrorNotice error={error} />
      {said && <Notice kind="good">{said}</Notice>}
      {draft ? (
        <DraftEditor
          key={draft.draftId}
          draft={draft}
          numGiven={numGivenTurns(draft)}
          onSubmitted={() => open(null, "Stored as an example. Thank you. Write another one?")}
          onLeave={() => open(null)}
          onDrop={() => void drop(draft)}
        />
      ) : (
        <>
          <div class="actions">
            <button
              class="button primary"
              type="button"
              disabled={isBusy}
              onClick={() => void takeRequest()}
            >
              Give me a request
            </button>
            <button class="button" type="button" disabled={isBusy} onClick={() => void playUser()}>
              I play the user myself
            </button>
          </div>
          <DraftList drafts={drafts} onOpen={setDraft} onDrop={(gone) => void drop(gone)} />
          <OwnDemonstrationList key={said} />
        </>
      )}
    </>
  );
}

/** Turns up to the first answer of a request that was given are not the writer's to change. */
function numGivenTurns({ requestId, turns }: Draft): number {
  if (requestId === null) return 0;
  const firstAnswer = turns.findIndex(({ role }) => role === "assistant");
  return firstAnswer < 0 ? turns.length : firstAnswer;
}
