import { useState } from "preact/hooks";
import type { FlagCategory } from "../../../src/http/api/index.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";

/** What can be wrong with an answer, in plain words. */
const FLAG_CATEGORIES: readonly (readonly [FlagCategory, string])[] = [
  ["violence", "Violence or threats"],
  ["self-harm", "Suicide or self-harm"],
  ["hate", "Hate against a group of people"],
  ["sexual", "Sexual content"],
  ["illegal", "Help with a crime"],
  ["privacy", "Gives away somebody's private data"],
  ["dangerous-advice", "Dangerous advice, such as on health"],
  ["harmful-other", "Harmful in another way"],
  ["false", "Not true"],
  ["unhelpful", "Does not do what was asked"],
  ["other", "Something else"],
];

/** A category's words. */
export function flagText(category: FlagCategory): string {
  return FLAG_CATEGORIES.find(([id]) => id === category)?.[1] ?? category;
}

/** Asks what is wrong with an answer. */
export function FlagDialog({
  what,
  onFlag,
  onClose,
}: {
  /** Such as "answer B". */
  what: string;
  onFlag: (flag: { category: FlagCategory; comment: string }) => void;
  onClose: () => void;
}) {
  const [category, setCategory] = useState<FlagCategory>("violence");
  const [comment, setComment] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    onFlag({ category, comment });
  };
  return (
    <Dialog title={`Flag ${what}`} onClose={onClose}>
      <form onSubmit={submit}>
        <p>
          Flags show the people who run this what the assistant must not do. Harmful answers become
          examples that it is taught to avoid.
        </p>
        <Field label="What is wrong?">
          <select
            value={category}
            onChange={(event) => setCategory(event.currentTarget.value as FlagCategory)}
          >
            {FLAG_CATEGORIES.map(([id, text]) => (
              <option value={id} key={id}>
                {text}
              </option>
            ))}
          </select>
        </Field>
        <Field label="In your own words (optional)">
          <textarea
            dir="auto"
            maxLength={10_000}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
        </Field>
        <div class="actions">
          <button class="button primary">Store the flag</button>
          <button class="button" type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
