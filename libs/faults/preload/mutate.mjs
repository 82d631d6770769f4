// `--import mutate.mjs?[{file, find, replace}]`: changes the text of the product's modules as they are
// loaded, so that a guard can be switched off without the product having a switch for it.
import { register } from "node:module";

const mutations = JSON.parse(decodeURIComponent(new URL(import.meta.url).search.slice(1)));
register("./mutate-hooks.mjs", import.meta.url, { data: mutations });
