import { createHash, randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { ServedModels } from "../openai/backend.js";

/** What pages call models by: it says nothing of the name, and stays when others come and go. */
export interface ModelIds {
  idOf(name: string): string;
  /** Empty stays empty, which is the current model; throws `not_found` for one that is not served. */
  nameOf(id: string): string;
}

export function modelIds(models: ServedModels): ModelIds {
  const salt = randomUUID(); // without it a name could be guessed and tried
  const idOf = (name: string) =>
    createHash("sha256").update(`${salt} ${name}`).digest("hex").slice(0, 12);
  return {
    idOf,
    nameOf(id) {
      if (id === "") return "";
      const name = [...models.policies().keys()].find((each) => idOf(each) === id);
      if (name !== undefined) return name;
      throw new StagecraftError("not_found", "that model is not served here any more", {
        details: { field: "model", advice: "load the page again and choose one of the list" },
      });
    },
  };
}
