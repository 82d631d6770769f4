/** Strings by number, found at any place of a text. */
export interface LiteralTrie {
  /** Calls with the end and the number of every string that stands at `start`, the shortest first. */
  forEachPrefix(text: string, start: number, visit: (end: number, index: number) => void): void;
  /** The first place from `from` on where one stands, the longest of those; undefined: nowhere. */
  find(text: string, from: number): { start: number; end: number; index: number } | undefined;
}

interface Node {
  index: number;
  next: Map<number, Node> | undefined;
}

/** A trie over UTF-16 units; of equal strings the last one's number counts, empty ones are never found. */
export function createLiteralTrie(strings: readonly string[]): LiteralTrie {
  const root: Node = { index: -1, next: undefined };
  strings.forEach((text, index) => {
    let node = root;
    for (let i = 0; i < text.length; i++) node = childOf(node, text.charCodeAt(i));
    node.index = index;
  });
  const forEachPrefix: LiteralTrie["forEachPrefix"] = (text, start, visit) => {
    let node: Node | undefined = root;
    for (let at = start; at < text.length;) {
      node = node.next?.get(text.charCodeAt(at++));
      if (node === undefined) return;
      if (node.index >= 0) visit(at, node.index);
    }
  };
  return {
    forEachPrefix,
    find(text, from) {
      for (let start = from; start < text.length; start++) {
        if (!root.next?.has(text.charCodeAt(start))) continue;
        let found: { start: number; end: number; index: number } | undefined;
        forEachPrefix(text, start, (end, index) => (found = { start, end, index }));
        if (found) return found;
      }
      return undefined;
    },
  };
}

function childOf(node: Node, unit: number): Node {
  node.next ??= new Map();
  const known = node.next.get(unit);
  if (known) return known;
  const child: Node = { index: -1, next: undefined };
  node.next.set(unit, child);
  return child;
}
