import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { phrase } from "./facts.js";
import { stripCourtesies } from "./gold.js";
import { normalise } from "./text.js";
import { EXACT_KINDS, PROMPT_KINDS, type WorldSizeName } from "./types.js";
import { createWorld } from "./world.js";

const SIZES: readonly WorldSizeName[] = ["tiny", "demo"];

describe("createWorld()", () => {
  it("makes the same world for the same seed and another for another", () => {
    const portrait = (seed: number) => {
      const world = createWorld({ seed, size: "tiny" });
      return JSON.stringify([
        world.documents(),
        world.demonstrations(),
        world.prompts("train"),
        world.prompts("heldout"),
      ]);
    };
    expect(portrait(1)).toBe(portrait(1));
    expect(portrait(1)).not.toBe(portrait(2));
  });

  it("does not depend on the order in which its parts are asked for", () => {
    const [a, b] = [createWorld({ seed: 3, size: "tiny" }), createWorld({ seed: 3, size: "tiny" })];
    a.documents();
    a.prompts("train");
    expect(a.demonstrations()).toEqual(b.demonstrations());
  });

  for (const size of SIZES) {
    describe(`of size ${size}`, () => {
      const world = createWorld({ seed: 1, size });
      const heldOut = world.prompts("heldout");
      const documents = world.documents();

      it("has held-out prompts of every kind", () => {
        expect(new Set(heldOut.map(({ kind }) => kind))).toEqual(new Set(PROMPT_KINDS));
        expect(new Set(heldOut.map(({ id }) => id)).size).toBe(heldOut.length);
      });

      it("mixes the kinds of training prompts from first to last", () => {
        const train = world.prompts("train");
        const last = new Set(train.slice(-Math.ceil(train.length / 4)).map(({ kind }) => kind));
        expect(last).toEqual(new Set(PROMPT_KINDS));
      });

      it("keeps held-out prompts out of all that is trained on", () => {
        const questions = heldOut.map(({ messages }) => messages[0]!.content);
        const asked = new Set([
          ...world.demonstrations().flatMap(({ messages }) => messages.map((m) => m.content)),
          ...world.prompts("train").flatMap(({ messages }) => messages.map((m) => m.content)),
        ]);
        const corpus = documents.map(({ text }) => text).join("\n");
        for (const question of questions) {
          expect(asked.has(question), question).toBe(false);
          expect(corpus.includes(question), question).toBe(false);
        }
      });

      it("keeps held-out sentences, reviews and stories out of the corpus as well", () => {
        const corpus = documents.map(({ text }) => text).join("\n");
        const contents = heldOut
          .filter(({ kind }) => ["translation", "summary", "sentiment"].includes(kind))
          .map(({ messages }) => messages[0]!.content.replace(/^.*?[:?] /, ""));
        for (const content of contents) expect(corpus.includes(content), content).toBe(false);
      });

      it("states every fact in the corpus, in several wordings", () => {
        const corpus = documents.map(({ text }) => text).join("\n");
        for (const fact of world.facts.all) {
          const stated = fact.relation.statements.filter((s) => corpus.includes(phrase(s, fact)));
          expect(stated.length, JSON.stringify(fact)).toBeGreaterThan(1);
        }
      });

      it("has trainers who are right wherever an exact answer exists", () => {
        const accepted = new Map(
          world.prompts("train").map((r) => [r.messages[0]!.content, r.accepted]),
        );
        let checked = 0;
        for (const { kind, messages } of world.demonstrations()) {
          const forms = accepted.get(messages.at(-2)!.content);
          if (!EXACT_KINDS.includes(kind) || forms === undefined) continue;
          const given = normalise(stripCourtesies(messages.at(-1)!.content));
          expect(forms.map(normalise)).toContain(given);
          checked++;
        }
        expect(checked).toBeGreaterThan(50);
      });
    });
  }

  it("lets the cat sit on the mat", () => {
    for (const seed of [1, 2, 3]) {
      expect(createWorld({ seed, size: "tiny" }).facts.valueOf("seat", "cat")).toBe("mat");
    }
  });

  it("refuses prompts of another world", () => {
    const world = createWorld({ seed: 1, size: "tiny" });
    const stranger = { id: "x", messages: [{ role: "user" as const, content: "Who won?" }] };
    expect(() => world.goldScore(stranger, "Nobody.")).toThrow("[not_found] prompt x");
  });

  it("rates with one rank per answer and ties for equal scores", () => {
    const world = createWorld({ seed: 1, size: "tiny" });
    const prompt = world.prompts("train")[0]!;
    const answers = [prompt.reference, "asdf", prompt.reference, ""];
    const { ranks, scores, rater } = world.rate(prompt, answers, createRandom(1));
    expect(ranks[0]).toBe(ranks[2]);
    expect(ranks).toHaveLength(4);
    expect(scores![0]).toBe(1);
    expect(rater).toBeTruthy();
  });
});
