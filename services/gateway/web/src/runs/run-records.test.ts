import { describe, expect, it } from "vitest";
import { addRecords } from "./run-records.js";

const train = (step: number, loss: number) => ({ kind: "train", step, loss });

describe("addRecords()", () => {
  it("a step that is done again after a kill is one point, the later one", () => {
    const before = [train(1, 5), train(2, 4), train(3, 3)];
    const all = addRecords(before, [train(2, 4.5), train(3, 3.5), train(4, 2)], false);
    expect(all).toEqual([train(1, 5), train(2, 4.5), train(3, 3.5), train(4, 2)]);
  });

  it("forgets what was told when all begins anew, and keeps kinds apart", () => {
    const evaluated = { kind: "eval", step: 1, validationLoss: 2 };
    expect(addRecords([train(9, 9)], [train(1, 5), evaluated], true)).toEqual([
      train(1, 5),
      evaluated,
    ]);
  });

  it("keeps two alarms of one step", () => {
    const alarms = ["a", "b"].map((code) => ({ kind: "alarm", step: 1, code }));
    expect(addRecords([], alarms, false)).toEqual(alarms);
  });
});
