// `npm run licences`
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { licenceProblems, lockedPackages } from "./licences.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const packages = lockedPackages(root);
const problems = licenceProblems(packages);
console.log(problems.join("\n") || `${packages.length} packages: all licences are on the list`);
process.exitCode = problems.length === 0 ? 0 : 1;
