import { useState } from "preact/hooks";
import { Markdown } from "../ui/markdown-view.js";
import type { ChatNode } from "./chat-tree.js";

interface Props {
  node: ChatNode;
  versions: readonly number[];
  isBusy: boolean;
  vote: "up" | "down" | undefined;
  onVersion: (id: number) => void;
  onEdit: (content: string) => void;
  onAgain: () => void;
  onVote: (vote: "up" | "down") => void;
}

/** One turn with what can be done with it: another version, an edit, a vote. */
export function ChatTurn(props: Props) {
  const { node, isBusy } = props;
  const [edited, setEdited] = useState<string | null>(null);
  if (edited !== null) {
    return (
      <li class={`turn ${node.role}`}>
        <label>
          <span class="role">Your message, anew: the old version stays beside it</span>
          <textarea
            dir="auto"
            value={edited}
            onInput={(event) => setEdited(event.currentTarget.value)}
          />
        </label>
        <div class="actions">
          <button
            class="button small primary"
            type="button"
            disabled={edited.trim() === "" || isBusy}
            onClick={() => (setEdited(null), props.onEdit(edited.trim()))}
          >
            Send
          </button>
          <button class="button small" type="button" onClick={() => setEdited(null)}>
            Cancel
          </button>
        </div>
      </li>
    );
  }
  return (
    <li class={`turn ${node.role}`}>
      <span class="role">{node.role === "user" ? "You" : "Assistant"}</span>
      <Markdown text={node.content} />
      <div class="actions">
        <Versions {...props} />
        {node.role === "user" ? (
          <button
            class="button small quiet"
            type="button"
            disabled={isBusy}
            onClick={() => setEdited(node.content)}
          >
            Edit
          </button>
        ) : (
          <AnswerActions {...props} />
        )}
      </div>
    </li>
  );
}

function Versions({ node, versions, isBusy, onVersion }: Props) {
  if (versions.length < 2) return null;
  const at = versions.indexOf(node.id);
  const go = (by: number, name: string, sign: string) => (
    <button
      class="button small quiet"
      type="button"
      aria-label={name}
      disabled={isBusy || versions[at + by] === undefined}
      onClick={() => onVersion(versions[at + by]!)}
    >
      {sign}
    </button>
  );
  return (
    <span class="versions num">
      {go(-1, "Version before", "‹")} {at + 1} of {versions.length} {go(1, "Next version", "›")}
    </span>
  );
}

function AnswerActions({ node, isBusy, vote, onAgain, onVote }: Props) {
  const thumb = (kind: "up" | "down", sign: string, name: string) => (
    <button
      class="button small quiet"
      type="button"
      aria-pressed={vote === kind}
      aria-label={name}
      disabled={vote !== undefined}
      onClick={() => onVote(kind)}
    >
      {sign}
    </button>
  );
  return (
    <>
      <button class="button small quiet" type="button" disabled={isBusy} onClick={onAgain}>
        Answer again
      </button>
      {node.answerId !== "" && (
        <>
          {thumb("up", "👍", "Good answer")}
          {thumb("down", "👎", "Bad answer")}
          {vote && (
            <span class="note" role="status">
              Stored.
            </span>
          )}
        </>
      )}
    </>
  );
}
