import { describe, expect, it } from "vitest";
import { addTurn, branchOf, EMPTY_CHAT, showVersion, turnsFor, versionsOf } from "./chat-tree.js";

const user = (content: string) => ({ role: "user" as const, content, answerId: "" });
const answer = (content: string) => ({ role: "assistant" as const, content, answerId: content });

function example() {
  const q = addTurn(EMPTY_CHAT, null, user("q"));
  const a1 = addTurn(q.tree, q.id, answer("a1"));
  const more = addTurn(a1.tree, a1.id, user("more"));
  const a2 = addTurn(more.tree, q.id, answer("a2")); // the first answer again
  return { q, a1, more, a2, tree: a2.tree };
}
const shown = (tree: Parameters<typeof branchOf>[0]) => branchOf(tree).map((node) => node.content);

describe("a conversation that branches", () => {
  it("shows the newest version and goes back to an older one with what followed", () => {
    const { tree, a1, a2 } = example();
    expect(shown(tree)).toEqual(["q", "a2"]);
    expect(versionsOf(tree, a2.id)).toEqual([a1.id, a2.id]);
    expect(shown(showVersion(tree, a1.id))).toEqual(["q", "a1", "more"]);
  });

  it("begins anew when the first message is edited, and loses nothing", () => {
    const { tree, q } = example();
    const edited = addTurn(tree, null, user("Q"));
    expect(shown(edited.tree)).toEqual(["Q"]);
    expect(versionsOf(edited.tree, edited.id)).toEqual([q.id, edited.id]);
    expect(shown(showVersion(edited.tree, q.id))).toEqual(["q", "a2"]);
  });

  it("sends the setting and the branch up to a turn", () => {
    const { tree, q } = example();
    expect(turnsFor(tree, q.id, " be kind ")).toEqual([
      { role: "system", content: "be kind" },
      { role: "user", content: "q" },
    ]);
    expect(turnsFor(tree, q.id, " ")).toEqual([{ role: "user", content: "q" }]);
  });
});
