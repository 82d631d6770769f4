import { describe, expect, it } from "vitest";
import { FinishReason, Role } from "../gen/stagecraft/common/v1/common.js";
import { decodeMessage } from "../decode.js";
import { Rollout } from "../gen/stagecraft/events/v1/events.js";
import { FlagReason } from "../gen/stagecraft/feedback/v1/feedback.js";
import { GenerationInput } from "../gen/stagecraft/policy/v1/policy.js";
import { parsePromptTask, parseRollout } from "./events.js";
import { exampleRollout, exampleSegments, exampleTask } from "../../test/examples.js";
import { parseDemonstration, parseFlag, parseRanking } from "./feedback.js";
import { parseGenerationInput, parseScoreLogProbsRequest } from "./policy.js";
import { parseScoreInput } from "./reward.js";
import { parseRunDirName, parseRunId } from "./trainer.js";

const NO_ROLE = { messages: [{ role: Role.UNSPECIFIED, content: "x" }] };

describe("parseRollout()", () => {
  const spoiled: [name: string, change: (r: Rollout) => void, field: string][] = [
    ["an empty id", (r) => (r.rolloutId = ""), "rollout_id"],
    ["a NaN log-prob", (r) => (r.logProbs[1] = NaN), "log_probs[1]"],
    ["a positive log-prob", (r) => (r.logProbs[0] = 0.5), "log_probs[0]"],
    ["an infinite score", (r) => (r.score = Infinity), "score"],
    ["too few log-probs", (r) => r.logProbs.pop(), "length of log_probs"],
    ["too few versions", (r) => r.weightVersions.pop(), "length of weight_versions"],
    ["a version nobody knows", (r) => (r.weightVersions[2] = 9), "weight_versions[2]"],
    ["a hash that is none", (r) => (r.weights[0]!.sha256 = "beef"), "weights[0].sha256"],
    ["an empty answer", (r) => (r.response = { ids: [] }), "length of response.ids"],
    ["no answer", (r) => (r.response = undefined), "response"],
    ["a token out of range", (r) => (r.prompt = { ids: [99] }), "prompt.ids[0]"],
    ["no reason to end", (r) => (r.finishReason = FinishReason.UNSPECIFIED), "finish_reason"],
    ["no score part", (r) => (r.scoreParts = []), "length of score_parts"],
    ["a score that is infinite as float32", (r) => (r.score = 1e300), "score"],
    ["a score that its parts do not make", (r) => (r.score = 0.76), "score"],
    [
      "a part that is infinite as float32",
      (r) => (r.scoreParts[0]!.value = 1e300),
      "score_parts[0].value",
    ],
    ["a weight that is none", (r) => (r.scoreParts[0]!.weight = NaN), "score_parts[0].weight"],
    ["a part without a name", (r) => (r.scoreParts[0]!.source = ""), "score_parts[0].source"],
    ["a log-prob that nobody can draw", (r) => (r.logProbs[1] = -3e38), "log_probs[1]"],
    ["a version with two hashes", (r) => r.weights.push(r.weights[0]!), "length of weights"],
  ];
  for (const [name, change, field] of spoiled) {
    it(`refuses ${name}`, () => {
      const rollout = exampleRollout();
      const { segments } = parseRollout(rollout, { vocabSize: 50 });
      expect(segments.map(({ ids }) => [...ids])).toEqual([
        [1, 4, 5],
        [7, 8, 2],
      ]);
      change(rollout);
      expect(() => parseRollout(rollout, { vocabSize: 50 })).toThrow(
        `[invalid_argument] ${field} `,
      );
    });
  }
});

describe("parseRollout() of segments", () => {
  it("reads one answer from its old fields and from segments alike, to the bit", () => {
    const bytes = Rollout.encode(exampleRollout()).finish();
    const segments = Rollout.encode(exampleSegments()).finish();
    const of = (data: Uint8Array) => parseRollout(decodeMessage(Rollout, data, "rollout"));
    expect(of(segments)).toEqual(of(bytes));
  });

  it("takes turns with what was read between them", () => {
    const rollout = exampleSegments();
    const [prompt, answer] = rollout.segments;
    rollout.segments.push({ ...prompt!, tokens: { ids: [3] } }, answer!);
    const { segments } = parseRollout(rollout);
    expect(segments.map(({ trained, logProbs }) => [trained, logProbs.length])).toEqual([
      [false, 0],
      [true, 3],
      [false, 0],
      [true, 3],
    ]);
  });

  const spoiled: [string, (rollout: Rollout) => unknown, string][] = [
    ["an answer told twice", (r) => (r.response = { ids: [7] }), "segments"],
    ["log-probs told twice", (r) => (r.logProbs = [-1]), "segments"],
    ["a prompt alone", (r) => r.segments.pop(), "length of segments"],
    ["no prompt", (r) => r.segments.unshift(r.segments[1]!), "segments[0].trained"],
    ["nothing to learn from", (r) => (r.segments[1] = r.segments[0]!), "segments"],
    ["no tokens", (r) => (r.segments[1]!.tokens = undefined), "segments[1].tokens"],
    ["too few log-probs", (r) => r.segments[1]!.logProbs.pop(), "length of segments[1].log_probs"],
    ["a NaN", (r) => (r.segments[1]!.logProbs[2] = NaN), "segments[1].log_probs[2]"],
    [
      "log-probs of tokens that were given",
      (r) => r.segments[0]!.logProbs.push(-1),
      "length of segments[0].log_probs",
    ],
    [
      "too many segments",
      (r) => r.segments.push(...new Array<typeof r.segments>(256).fill(r.segments).flat()),
      "length of segments",
    ],
    ["a version nobody knows", (r) => (r.segments[1]!.weightVersions[2] = 9), "weight_versions[2]"],
  ];
  for (const [name, change, field] of spoiled) {
    it(`refuses ${name}`, () => {
      const rollout = exampleSegments();
      change(rollout);
      expect(() => parseRollout(rollout)).toThrow(`[invalid_argument] ${field} `);
    });
  }
});

describe("parsePromptTask()", () => {
  it("allows a task without a conversation but not without a prompt", () => {
    expect(parsePromptTask({ ...exampleTask(), conversation: undefined }).messages).toEqual([]);
    expect(() => parsePromptTask({ ...exampleTask(), prompt: undefined })).toThrow("prompt");
  });
});

describe("parseGenerationInput()", () => {
  const input = (sampling: object, ids = [1]) =>
    GenerationInput.fromPartial({
      prompt: { $case: "tokens", value: { ids } },
      sampling: { maxNewTokens: 4, ...sampling },
    });

  it("fills in the defaults of the proto", () => {
    expect(parseGenerationInput(input({}), "input").sampling).toEqual({
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      maxNewTokens: 4,
      stop: [],
      seed: 0,
    });
  });

  it("takes a bias and penalties of the answer; what is off is absent", () => {
    const logitBias = [{ tokenId: 3, bias: -100 }];
    const { sampling } = parseGenerationInput(
      input({ logitBias, frequencyPenalty: 0.5, presencePenalty: 0 }),
      "input",
    );
    expect(sampling).toMatchObject({ logitBias: [{ id: 3, bias: -100 }], frequencyPenalty: 0.5 });
    expect(sampling).not.toHaveProperty("presencePenalty");
  });

  it("takes an answer of no tokens only where the prompt is judged", () => {
    const judged = { ...input({ maxNewTokens: 0 }), echo: true };
    expect(parseGenerationInput(judged, "input").sampling.maxNewTokens).toBe(0);
    const many = { ...input({}), numTopLogProbs: 21 };
    expect(() => parseGenerationInput(many, "input")).toThrow("input.num_top_log_probs is 21");
  });

  const bad: [object, string][] = [
    [{ logitBias: [{ tokenId: 1, bias: 101 }] }, "logit_bias[0].bias"],
    [
      {
        logitBias: [
          { tokenId: 1, bias: 1 },
          { tokenId: 1, bias: 2 },
        ],
      },
      "logit_bias[1].token_id",
    ],
    [{ frequencyPenalty: 3 }, "frequency_penalty"],
    [{ presencePenalty: NaN }, "presence_penalty"],
    [{ temperature: -1 }, "temperature"],
    [{ temperature: NaN }, "temperature"],
    [{ topP: 0 }, "top_p"],
    [{ minP: 1.5 }, "min_p"],
    [{ temperature: 1e-45 }, "temperature"],
    [{ temperature: 1001 }, "temperature"],
    [{ repetitionPenalty: 1e-40 }, "repetition_penalty"],
    [{ repetitionPenalty: 1e40 }, "repetition_penalty"],
    [{ repetitionPenalty: 0 }, "repetition_penalty"],
    [{ repetitionPenalty: Infinity }, "repetition_penalty"],
    [{ maxNewTokens: 0 }, "max_new_tokens"],
    [{ stop: [""] }, "stop[0]"],
    [{ seed: 2n ** 53n }, "seed"],
  ];
  for (const [sampling, field] of bad) {
    it(`refuses ${field} in ${Object.keys(sampling).join()} = ${Object.values(sampling).join()}`, () => {
      expect(() => parseGenerationInput(input(sampling), "input")).toThrow(
        `input.sampling.${field}`,
      );
    });
  }

  it("refuses a missing prompt, an empty one and one out of the vocabulary", () => {
    const parse = (value: GenerationInput) =>
      parseGenerationInput(value, "input", { vocabSize: 9 });
    expect(() => parse(GenerationInput.fromPartial({}))).toThrow("input.prompt is missing");
    expect(() => parse(input({}, []))).toThrow("length of input.tokens.ids is 0");
    expect(() => parse(input({}, [3, 9]))).toThrow("input.tokens.ids[1] is 9");
  });
});

describe("parseScoreLogProbsRequest()", () => {
  const parse = (promptLengths: number[], temperature = 1) =>
    parseScoreLogProbsRequest(
      { model: "", sequences: [{ ids: [1, 2] }], promptLengths, temperature },
      { maxSequences: 4 },
    );
  it("wants one prompt length, 1 to the length, for each sequence", () => {
    expect(parse([1]).sequences[0]!.promptLength).toBe(1);
    for (const lengths of [[], [0], [3], [1, 1]])
      expect(() => parse(lengths)).toThrow("prompt_len");
    expect(() => parse([1], 0)).toThrow("temperature is 0");
  });
});

describe("parseScoreInput()", () => {
  it("wants a conversation that ends with the answer", () => {
    const of = (role: Role) => ({
      input: { $case: "conversation" as const, value: { messages: [{ role, content: "x" }] } },
    });
    expect(parseScoreInput(of(Role.ASSISTANT), "items[0]").kind).toBe("conversation");
    expect(() => parseScoreInput(of(Role.USER), "items[0]")).toThrow("messages[0].role");
    expect(() => parseScoreInput({ input: undefined }, "items[0]")).toThrow("items[0].input");
  });
});

describe("parseRunId() and parseRunDirName()", () => {
  it("keep run directories inside the runs folder", () => {
    expect(parseRunId("ppo-21_x")).toBe("ppo-21_x");
    for (const id of ["", ".hidden", "a/b", "a.b", "a b", "x".repeat(49)]) {
      expect(() => parseRunId(id)).toThrow("run_id");
    }
    for (const name of ["", "a", "a b.c", "ä"]) expect(parseRunDirName(name)).toBe(name);
    const long = "x".repeat(3_000_000);
    for (const dir of ["/etc", "a/../../b", "a/b", ".", "..", "a/.", "a\\b", "a\0", "a\n", long]) {
      expect(() => parseRunDirName(dir)).toThrow("run_dir");
    }
  });
});

describe("feedback", () => {
  const prompt = { messages: [{ role: Role.USER, content: "Hi" }] };
  it("accepts a ranking with a tie and refuses ranks that do not fit", () => {
    const ranking = { prompt, answers: ["a", "b"], ranks: [1, 1], criteria: [] };
    expect(parseRanking(ranking).ranks).toEqual([1, 1]);
    expect(() => parseRanking({ ...ranking, ranks: [1] })).toThrow("ranking.ranks");
    expect(() => parseRanking({ ...ranking, ranks: [0, 1] })).toThrow("ranking.ranks[0]");
    expect(() => parseRanking({ ...ranking, answers: ["a"] })).toThrow("ranking.answers");
    expect(() => parseRanking({ ...ranking, prompt: NO_ROLE })).toThrow("messages[0].role");
  });
  it("wants an answer in a demonstration and a reason in a flag", () => {
    const bare = { conversation: prompt, drafts: [] };
    expect(() => parseDemonstration(bare)).toThrow("without an answer");
    const drafts = [{ message: 0, text: "", modelVersion: "" }];
    expect(() => parseDemonstration({ ...bare, drafts })).toThrow("drafts[0].message");
    const flag = { conversation: prompt, reason: FlagReason.FALSE, comment: "", category: "" };
    expect(parseFlag(flag).messages).toHaveLength(1);
    expect(() => parseFlag({ ...flag, reason: FlagReason.UNSPECIFIED })).toThrow("flag.reason");
    expect(() => parseFlag({ ...flag, category: "x".repeat(65) })).toThrow("flag.category");
  });
});
