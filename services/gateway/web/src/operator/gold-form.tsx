import { useState } from "preact/hooks";
import type { GoldItem } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { letter } from "../ui/format.js";
import { ErrorNotice } from "../ui/notice.js";
import { useAction } from "../ui/use-load.js";

interface Props {
  comparisonId: string;
  numAnswers: number;
  isGold: boolean;
  ranks?: readonly number[];
  onChanged: () => unknown;
}

/** The right order of a comparison, which makes it a gold item. */
export function GoldForm({ comparisonId, numAnswers, isGold, ranks: given, onChanged }: Props) {
  const [ranks, setRanks] = useState<number[]>(() =>
    Array.from({ length: numAnswers }, (_, i) => given?.[i] ?? 1),
  );
  const { run, error, isBusy } = useAction();
  const path = `operator/gold/${encodeURIComponent(comparisonId)}`;
  const save = () =>
    run(async () => {
      await request<GoldItem>("PUT", path, { ranks });
      onChanged();
    });
  const remove = () =>
    run(async () => {
      await request("DELETE", path);
      onChanged();
    });
  return (
    <fieldset class="gold-form">
      <legend>The right ranks, if you know them</legend>
      <div class="row">
        {ranks.map((rank, i) => (
          <label class="choice" key={i}>
            {letter(i)}
            <select
              value={rank}
              onChange={(event) => {
                const chosen = Number(event.currentTarget.value);
                setRanks(ranks.map((old, at) => (at === i ? chosen : old)));
              }}
            >
              {ranks.map((_, choice) => (
                <option value={choice + 1} key={choice}>
                  {choice + 1}
                </option>
              ))}
            </select>
          </label>
        ))}
      </div>
      <ErrorNotice error={error} />
      <div class="actions">
        <button
          class="button small"
          type="button"
          disabled={isBusy || new Set(ranks).size < 2}
          onClick={() => void save()}
        >
          {isGold ? "Change the gold item" : "Make it a gold item"}
        </button>
        {isGold && (
          <button
            class="button small quiet danger"
            type="button"
            disabled={isBusy}
            onClick={() => void remove()}
          >
            No gold item any more
          </button>
        )}
      </div>
    </fieldset>
  );
}
