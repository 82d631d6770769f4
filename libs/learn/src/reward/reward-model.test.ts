import { describe, expect, it } from "vitest";
import { combineScores } from "./reward-model.js";

describe("combineScores()", () => {
  it("is mean and biased standard deviation over the members", () => {
    expect(combineScores([[1], [4]])).toEqual([{ mean: 2.5, std: 1.5 }]);
  });

  it("counts no disagreement about where zero is: a ranking does not say it", () => {
    // The second member is the first one and 3 more; on the last answer it differs by 1 beyond that.
    const [same, other] = combineScores(
      [
        [1, 2],
        [4, 6],
      ],
      [0, 3],
    );
    expect(same).toEqual({ mean: 2.5, std: 0 });
    expect(other).toEqual({ mean: 4, std: 0.5 });
  });
});
