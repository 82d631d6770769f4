import { feedback, toConversation } from "@stagecraft/contracts";
import { silentReporter } from "@stagecraft/runs";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { createFeedbackService, openStore } from "@stagecraft/service-gateway";
import { pgliteTemplate, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { openDemonstrations } from "./demonstration-sources.js";
import { loopSchema } from "./loop-config.js";
import { initialState } from "./loop-state.js";
import type { Round } from "./round.js";

describe("demonstrations at the feedback service", () => {
  it("are read once each, in the order they came", async () => {
    await using directory = await tempDir();
    await using database = await openStore({ template: await pgliteTemplate() });
    const server = createRpcServer();
    createFeedbackService({ database }).register(server);
    const feedbackAddress = `127.0.0.1:${(await server.start()).port}`;
    await using client = createRpcClient(feedback.FeedbackServiceClient, feedbackAddress);
    const submit = (id: string, answer: string) =>
      client.submitDemonstration({
        feedbackId: id,
        origin: { rater: "ann", kind: "greeting", modelVersion: "" },
        demonstration: {
          conversation: toConversation([
            { role: "user", content: "Hi" },
            { role: "assistant", content: answer },
          ]),
          drafts: [],
        },
      });
    const given = { policy: "p", prompts: ["q"], ranker: "feedback", feedbackAddress };
    const { signal } = new AbortController();
    const read = async (position: string) => {
      const start = { policy: "p", reference: "p", rewardModel: "", klCoef: 0 };
      const round = {
        ...{ config: loopSchema.parse(given), runDir: directory.path, number: 1, dir: "unused" },
        state: { ...initialState(start), demonstrationPosition: position },
        context: { signal, reporter: silentReporter() },
      };
      const open = openDemonstrations(round as unknown as Round)[1]!;
      await using source = await open();
      return source.read();
    };
    await submit("one", "Hello!");
    await submit("two", "Good day.");
    const first = await read("");
    expect(first.demonstrations.map(({ messages }) => messages[1]!.content)).toEqual([
      ...["Hello!", "Good day."],
    ]);
    expect(first.demonstrations[0]).toMatchObject({ id: "one", kind: "greeting" });
    await submit("three", "Hey.");
    const second = await read(first.position!);
    expect(second.demonstrations.map(({ id }) => id)).toEqual(["three"]);
    await server.drain(0);
  });
});
