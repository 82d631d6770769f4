import { whole } from "@stagecraft/fields";
import { createWorld, type World } from "@stagecraft/world";
import { z } from "zod";

/** Which world a stage's prompts come from; it is made again from these two. */
export const worldFields = {
  worldSize: z.enum(["demo", "tiny"]).describe("Size of the world the prompts come from"),
  worldSeed: whole().describe("Seed of that world"),
};

/** The world that `worldStage` wrote down. */
export function worldOf(config: { worldSize: "demo" | "tiny"; worldSeed: number }): World {
  return createWorld({ size: config.worldSize, seed: config.worldSeed });
}
