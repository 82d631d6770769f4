export { createWorld, type World } from "./world.js";
export { writeWorld } from "./write-world.js";
export { bayesPairAccuracy, LABELERS } from "./labelers.js";
export { COURTESIES } from "./trainers.js";
