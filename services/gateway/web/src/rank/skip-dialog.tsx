import { useState } from "preact/hooks";
import type { SkipAssignment, SkipReason } from "../../../src/http/api/index.js";
import { Dialog } from "../ui/dialog.js";
import { Choices, Field } from "../ui/field.js";

const REASONS: readonly (readonly [SkipReason, string])[] = [
  ["not-my-field", "I do not know enough about this"],
  ["unclear", "I do not understand the request"],
  ["too-long", "It is too much to read"],
  ["all-bad", "All answers are equally bad"],
  ["uneasy", "I do not want to read this"],
  ["other", "Something else"],
];

/** Asks why a comparison is skipped; the reason is required, so that operators can mend what is wrong. */
export function SkipDialog({
  onSkip,
  onClose,
}: {
  onSkip: (skip: Pick<SkipAssignment, "reason" | "comment">) => void;
  onClose: () => void;
}) {
  const [reason, setReason] = useState<SkipReason>("not-my-field");
  const [comment, setComment] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    onSkip({ reason, comment });
  };
  return (
    <Dialog title="Skip this comparison" onClose={onClose}>
      <form onSubmit={submit}>
        <p>You will not be shown it again. U brings it back.</p>
        <Choices name="reason" label="Why?" options={REASONS} value={reason} onChange={setReason} />
        <Field label="Anything to add? (optional)">
          <textarea
            dir="auto"
            maxLength={1000}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
        </Field>
        <div class="actions">
          <button class="button primary">Skip</button>
          <button class="button" type="button" onClick={onClose}>
            Keep it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
