import { present } from "@stagecraft/core";
import { RecordProblem } from "../../bad-records.js";
import { has, objectOf, optionalString } from "./fields.js";
import { instructionTurn } from "./alpaca.js";
import type { RecordFormat } from "./record-format.js";

/**
 * `{instruction, instances: [{input, output}, …]}`: seed tasks of self-instruct. One conversation an
 * instance, `kind` from `name`.
 */
export const selfInstructFormat: RecordFormat = {
  name: "self-instruct",
  matches: (fields) => has(fields, "instances"),
  conversations(fields) {
    const instances = fields["instances"];
    if (!Array.isArray(instances) || instances.length === 0) {
      throw new RecordProblem(`"instances" must be a list with at least one instance`);
    }
    const id = optionalString(fields, "id");
    const kind = optionalString(fields, "kind") ?? optionalString(fields, "name");
    return instances.map((instance, i) => ({
      ...present({ id: id === undefined || i === 0 ? id : `${id}/${i}`, kind }),
      messages: instructionTurn(fields, objectOf(instance, `instances[${i}]`)),
    }));
  },
};
