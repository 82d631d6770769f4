import { policy } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { askPolicy } from "./ask-policy.js";

describe("askPolicy()", () => {
  it("waits for a policy that has no model yet, and says so again and again", async () => {
    const info = { tokenizerFingerprint: "t", specialTokens: { ends: [2, 3] } };
    const answer = policy.GetModelInfoResponse.fromPartial({ info });
    let numSaid = 0;
    let serve = () => {};
    const serving = new Promise<void>((done) => (serve = done));
    const client = { getModelInfo: () => serving.then(() => answer) };
    const asked = await askPolicy(client, {
      timeoutMs: 60_000,
      sayEveryMs: 1,
      onWaiting: () => void (++numSaid === 3 && serve()),
    });
    expect(asked).toMatchObject({ endIds: [2, 3], text: { tokenizerFingerprint: "t" } });
    expect(numSaid).toBeGreaterThanOrEqual(3);
  });
});
