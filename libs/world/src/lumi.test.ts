import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { createLumi, drawLumiSentence, englishOf } from "./lumi.js";

const options = { numWords: { nouns: 6, others: 3 }, people: ["Anna"], places: ["Merrow"] };

describe("Lumi", () => {
  const lumi = createLumi(options, createRandom(1));

  it("puts the adjective after its noun and keeps names", () => {
    const sentence = {
      subject: { noun: "fox", adjective: "big" },
      verb: "sees",
      object: { name: "Anna" },
      place: "Merrow",
    };
    const [fox, big, sees] = ["fox", "big", "sees"].map((word) => lumi.word(word));
    expect(englishOf(sentence)).toBe("The big fox sees Anna in Merrow.");
    expect(lumi.translate(sentence)).toBe(`E ${fox} ${big} ${sees} Anna ni Merrow.`);
  });

  it("has a different word for every English one, with the ending of its class", () => {
    const english = [...lumi.nouns, ...lumi.adjectives, ...lumi.verbs];
    expect(new Set(english.map((word) => lumi.word(word))).size).toBe(english.length);
    for (const noun of lumi.nouns) expect(lumi.word(noun)).toMatch(/u$/);
    for (const adjective of lumi.adjectives) expect(lumi.word(adjective)).toMatch(/i$/);
    for (const verb of lumi.verbs) expect(lumi.word(verb)).toMatch(/en$/);
  });

  it("knows only the words of its lexicon", () => {
    expect(() => lumi.word("spaceship")).toThrow(RangeError);
  });

  it("draws sentences that it can translate", () => {
    const random = createRandom(2);
    for (let i = 0; i < 200; i++) {
      expect(lumi.translate(drawLumiSentence(lumi, random))).toMatch(/^(E |Anna).* .*\.$/);
    }
  });
});
