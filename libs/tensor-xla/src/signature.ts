import { StagecraftError } from "@stagecraft/core";
import { dtypeOfMlir } from "./dtypes.js";
import type { PjrtDtype } from "./pjrt.js";

export interface ArgumentType {
  dtype: PjrtDtype;
  shape: readonly number[];
}

const START = "@main(";

/** The arguments of the public function `main` of a StableHLO module in text. */
export function readArguments(mlirText: string): ArgumentType[] {
  const start = mlirText.indexOf(START);
  if (start < 0) throw refusal("it has no function @main(…)");
  const list = mlirText.slice(start + START.length, endOfList(mlirText, start + START.length));
  const args = [...list.matchAll(/%[\w.$-]+\s*:\s*tensor<((?:\d+x)*)(\w+)>/g)];
  return args.map(([text, dims = "", element = ""]) => {
    const dtype = dtypeOfMlir(element);
    if (dtype === undefined) throw refusal(`argument ${text} is of a type that is not carried`);
    return { dtype, shape: dims.split("x").filter(Boolean).map(Number) };
  });
}

/** Where the parenthesis that is open at `from` closes. */
function endOfList(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return i;
  }
  throw refusal("the arguments of @main end nowhere");
}

function refusal(reason: string): StagecraftError {
  return new StagecraftError("invalid_argument", `cannot read the StableHLO text: ${reason}`);
}
