import { Interpreter } from "@huggingface/jinja";

type Statement = object | undefined;
type Scope = object;

interface Value {
  type: string;
  value: unknown;
  __bool__(): Value;
}

/** The library's own types name files in a way that Node's resolution does not find. */
interface Runner {
  run(program: object): Value;
  evaluate(statement: Statement, scope: Scope): Value;
}
const Base = Interpreter as unknown as new (scope: Scope) => Runner;

/** The parts of the syntax tree that are evaluated here. */
interface Node {
  type: string;
  operator?: { value: string };
  left?: Statement;
  right?: Statement;
  callee?: Node & { object?: Statement; property?: { value?: unknown } };
  args?: Statement[];
  operand?: Statement;
  filter?: { type: string; value?: unknown; callee?: { value?: unknown }; args?: Statement[] };
}

/**
 * Jinja as Python runs it, where the library would give another text without a word: `==` between a text
 * and something else; `strip` with its family and `trim`, which take characters to strip and count other
 * ones as white space than JavaScript.
 */
export class PythonInterpreter extends Base {
  override evaluate(statement: Statement, scope: Scope): Value {
    const node = statement as Node | undefined;
    const value =
      node?.type === "BinaryExpression"
        ? this.comparison(node, scope)
        : node?.type === "CallExpression"
          ? this.stripCall(node, scope)
          : node?.type === "FilterExpression"
            ? (this.trimFilter(node, scope) ?? this.presenceFilter(node, scope))
            : undefined;
    return value ?? super.evaluate(statement, scope);
  }

  private comparison({ operator, left, right }: Node, scope: Scope): Value | undefined {
    const isEqual = operator?.value === "==";
    if (!isEqual && operator?.value !== "!=") return undefined;
    const [a, b] = [this.evaluate(left, scope), this.evaluate(right, scope)];
    return madeLike(a.__bool__(), arePythonEqual(a, b) === isEqual);
  }

  private stripCall({ callee, args = [] }: Node, scope: Scope): Value | undefined {
    const name = callee?.type === "MemberExpression" ? callee.property?.value : undefined;
    if (name !== "strip" && name !== "lstrip" && name !== "rstrip") return undefined;
    const object = this.evaluate(callee!.object, scope);
    if (object.type !== "StringValue") return undefined;
    const chars = args[0] && (this.evaluate(args[0], scope).value as string | null);
    return madeLike(object, stripped(object.value as string, name, chars ?? SPACES));
  }

  private trimFilter({ operand, filter }: Node, scope: Scope): Value | undefined {
    if (filter?.type !== "Identifier" || filter.value !== "trim") return undefined;
    const object = this.evaluate(operand, scope);
    if (object.type !== "StringValue") return undefined;
    return madeLike(object, stripped(object.value as string, "strip", SPACES));
  }

  /** `selectattr(name, "undefined")` and `rejectattr`: to the library no test holds of what is not there. */
  private presenceFilter({ operand, filter }: Node, scope: Scope): Value | undefined {
    const called = filter?.callee?.value;
    if (called !== "selectattr" && called !== "rejectattr") return undefined;
    const [name, test] = (filter!.args ?? []).map((node) => this.evaluate(node, scope).value);
    const list = this.evaluate(operand, scope);
    if (!PRESENCE.includes(test) || list.type !== "ArrayValue") return undefined;
    const items = list.value as Value[];
    const isPresentKept = (test === "defined") === (called === "selectattr");
    return madeLike(
      list,
      items.filter((item) => isPresent(item, name) === isPresentKept),
    );
  }
}

function madeLike(value: Value, content: unknown): Value {
  return new (value.constructor as new (content: unknown) => Value)(content);
}

const PRESENCE: readonly unknown[] = ["defined", "undefined"];

function isPresent(item: Value, name: unknown): boolean {
  const fields: unknown = item.value;
  if (!(fields instanceof Map)) return false;
  const value = fields.get(name) as Value | undefined;
  return value !== undefined && value.type !== "UndefinedValue";
}

/** Types that are equal only to themselves; numbers and booleans compare by value. */
const APART = new Set(["StringValue", "NullValue", "UndefinedValue"]);

function arePythonEqual(a: Value, b: Value): boolean {
  if (a.type !== b.type && (APART.has(a.type) || APART.has(b.type))) return false;
  // eslint-disable-next-line eqeqeq -- as in Python, 1 == True
  return a.value == b.value;
}

/** What Python's `str.isspace` counts. */
const SPACES =
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007" +
  "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

function stripped(text: string, side: "strip" | "lstrip" | "rstrip", chars: string): string {
  const characters = [...text];
  let start = 0;
  let end = characters.length;
  if (side !== "rstrip") while (start < end && chars.includes(characters[start]!)) start++;
  if (side !== "lstrip") while (end > start && chars.includes(characters[end - 1]!)) end--;
  return characters.slice(start, end).join("");
}
