export { createWorld, type Split, type World, type WorldOptions } from "./world.js";
export { writeWorld, type WorldFiles } from "./write-world.js";
export { bayesPairAccuracy, LABELERS, type BayesPairAccuracy } from "./labelers.js";
export { COURTESIES, type Trainer } from "./trainers.js";
