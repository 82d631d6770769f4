import { describe, expect, it } from "vitest";
import { holdOut, promptKey, shareProblem } from "./hold-out.js";

describe("holdOut()", () => {
  it("keeps records with one key on one side and takes about the fraction", () => {
    const records = Array.from({ length: 4000 }, (_, i) => ({ key: `k${i % 1000}` }));
    const { train, validation } = holdOut(records, 0.25, ({ key }) => key);
    expect(train.length + validation.length).toBe(4000);
    expect(Math.abs(validation.length - 1000)).toBeLessThan(4 * 5 * 13.7); // √(1000·¼·¾) = 13.7 keys
    const kept = new Set(train.map(({ key }) => key));
    expect(validation.some(({ key }) => kept.has(key))).toBe(false);
  });
});

describe("promptKey()", () => {
  const system = { role: "system" as const, content: "You help." };
  const user = (content: string) => ({ role: "user" as const, content });
  const assistant = (content: string) => ({ role: "assistant" as const, content });

  it("tells prompts with one system prompt apart, so that they split", () => {
    const chats = Array.from({ length: 400 }, (_, i) => [system, user(`q${i}`), assistant("a")]);
    const { validation, numKeys } = holdOut(chats, 0.1, promptKey);
    expect(numKeys).toBe(400);
    expect(validation.length).toBeGreaterThan(40 - 4 * 6); // √(400·.1·.9) = 6
    expect(validation.length).toBeLessThan(40 + 4 * 6);
  });

  it("is the same for all answers to one prompt, however the conversation goes on", () => {
    const opening = [system, user("q")];
    const keys = [
      opening,
      [...opening, assistant("a")],
      [...opening, { ...assistant("b"), weight: 0 as const }, user("r"), assistant("c")],
    ].map(promptKey);
    expect(new Set(keys).size).toBe(1);
  });

  it("takes the whole conversation where no question stands before the first answer", () => {
    const [a, b] = ["a", "b"].map((text) => promptKey([system, assistant(text)]));
    expect(a).not.toBe(b);
  });
});

describe("shareProblem()", () => {
  const problem = (numTrain: number, numHeldOut: number, fraction = 0.1) =>
    shareProblem({ fraction, numTrain, numHeldOut, what: "chats" });

  it("names shares of nothing and those off by more than a factor of 2", () => {
    expect(problem(400, 0)).toBe("0 of 400 chats are held out (0 %), 10 % were asked for");
    expect(problem(96, 4)).toBe("4 of 100 chats are held out (4 %), 10 % were asked for");
    expect(problem(79, 21)).toContain("(21 %)");
    expect(problem(0, 5)).toContain("(100 %)");
  });

  it("is silent about shares that are near, and where none was asked for", () => {
    for (const held of [5, 10, 20]) expect(problem(100 - held, held)).toBeUndefined();
    expect(problem(100, 0, 0)).toBeUndefined();
  });
});
