import { expect, it } from "vitest";
import { makeBase, openWorkshop, spawnCli } from "./case-kit.js";

it("an overlong message in chat is told with tokens and limit; the session and its history go on", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"), { contextLength: 64 });
  const ask = async (lines: string[]) => {
    const chat = spawnCli(["chat", model, "--json", "--temperature", "0", "--max-new-tokens", "4"]);
    chat.type(lines.map((line) => `${line}\n`).join(""));
    const { code, out, err } = await chat.done;
    const answers = out.trimEnd().split("\n");
    return { code, err, answers: answers.map((line) => JSON.parse(line) as object) };
  };
  const long = "x".repeat(100);
  const { code, err, answers } = await ask(["Hi", long, "And you?"]);
  const reason = /the message has 10\d tokens; at most 63 fit into the model's context of 64/;
  expect(answers[1]).toEqual({ question: long, error: expect.stringMatching(reason) });
  expect(err).toMatch(reason);
  expect(code).toBe(1); // a script has to notice
  const without = await ask(["Hi", "And you?"]);
  expect(without.code).toBe(0);
  expect([answers[0], answers[2]]).toMatchObject(without.answers.map(({ ...rest }) => rest));
});
