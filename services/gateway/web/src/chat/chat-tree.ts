import type { Turn } from "../../../src/http/api/index.js";

/** One turn of a conversation that may branch: other versions of it have the same parent. */
export interface ChatNode {
  id: number;
  parent: number | null;
  role: "user" | "assistant";
  content: string;
  /** Of answers: what votes name; empty when the answer was cut off. */
  answerId: string;
}

/** A conversation as a tree, and the branch that is on the screen: its last turn. */
export interface ChatTree {
  readonly nodes: readonly ChatNode[];
  readonly leaf: number | null;
}

export const EMPTY_CHAT: ChatTree = { nodes: [], leaf: null };

/** Adds a turn below `parent` (null = a new beginning) and shows it. */
export function addTurn(
  tree: ChatTree,
  parent: number | null,
  turn: Omit<ChatNode, "id" | "parent">,
) {
  const node = { ...turn, id: tree.nodes.length, parent };
  return { tree: { nodes: [...tree.nodes, node], leaf: node.id }, id: node.id };
}

/** The turns on the screen, from the first to the last. */
export function branchOf({ nodes, leaf }: ChatTree): ChatNode[] {
  const branch: ChatNode[] = [];
  for (let at = leaf; at !== null; at = nodes[at]!.parent) branch.unshift(nodes[at]!);
  return branch;
}

/** All versions of a turn, itself among them, the oldest first. */
export function versionsOf({ nodes }: ChatTree, id: number): number[] {
  return nodes.filter(({ parent }) => parent === nodes[id]!.parent).map((node) => node.id);
}

/** Shows another version of a turn, with the newest turns below it. */
export function showVersion(tree: ChatTree, id: number): ChatTree {
  let leaf = id;
  for (;;) {
    const below = tree.nodes.findLast(({ parent }) => parent === leaf);
    if (!below) return { ...tree, leaf };
    leaf = below.id;
  }
}

/** What is sent to the model: the setting if there is one, and the branch up to `leaf`. */
export function turnsFor(tree: ChatTree, leaf: number | null, setting: string): Turn[] {
  const said = branchOf({ ...tree, leaf }).map(({ role, content }) => ({ role, content }));
  return setting.trim() === "" ? said : [{ role: "system", content: setting.trim() }, ...said];
}
