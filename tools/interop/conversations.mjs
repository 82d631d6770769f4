// Twenty conversations that chat templates treat differently: system turns, white space, thinking, odd orders.
const user = (/** @type {string} */ content) => ({ role: "user", content });
const assistant = (/** @type {string} */ content) => ({ role: "assistant", content });
const system = (/** @type {string} */ content) => ({ role: "system", content });

export const CONVERSATIONS = [
  [user("one")],
  [user("one"), assistant("two")],
  [system("be kind"), user("one"), assistant("two")],
  [user("one"), assistant("two"), user("three"), assistant("four")],
  [system("be kind"), user("one"), assistant("two"), user("three")],
  [user(" one\n"), assistant("\n two \n")],
  [user("one\n\nend"), assistant("two\n\n\nend")],
  [user(""), assistant("two")],
  [user("héé 👋 日本語"), assistant("ñandú ✓ 中文")],
  [user("one"), assistant("<think>\nhm\n</think>\n\ntwo")],
  [
    ...[user("one"), assistant("<think>\nhm\n</think>\n\ntwo")],
    ...[user("three"), assistant("<think>\nso\n</think>\n\nfour")],
  ],
  [user(`{"a": 1} 'q' "d" \\ / <b>`), assistant("`x` {{ y }} {% z %}")],
  [
    ...[system("be kind\n"), user("one"), assistant("two")],
    ...[user("three"), assistant("four"), user("five"), assistant("six")],
  ],
  [user("one"), assistant("two"), user("three"), assistant("four"), user("five")],
  [system(""), user("one"), assistant("two")],
  [user("1. one\n2. two"), assistant("- a\n- b\n\n    c")],
  [user("long ".repeat(200)), assistant("answer ".repeat(100))],
  [user("def f(x):\n\treturn x\n"), assistant("```py\nx\n```\n")],
  [assistant("two"), user("three")],
  [user("one"), user("more"), assistant("two")],
];
