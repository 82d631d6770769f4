import { allowedImports, DOORS, ENVIRONMENT_READER, readProjects } from "../module-boundaries.mjs";

const TEST_FILES = ["**/*.test.ts", "**/*.bench.ts", "*/*/{test,pages,bench}/**/*.ts"];
const ENVIRONMENT_MESSAGE = "Only libs/config reads the environment; take the value as an option.";

/** Pages run in a browser: of our own code they know the types of their service's HTTP API. */
const PAGES_RESTRICTION = {
  regex: "^@stagecraft/|^node:|^(\\.\\./)+src/(?!http/api)",
  message: "Pages import browser packages, each other, and types of ../src/http/api.",
};

/**
 * ESLint configurations that enforce module-boundaries.mjs, for static and dynamic imports alike.
 * Tests may also use @stagecraft/testing, gRPC and NATS clients and variables; build scripts are free.
 * @param {string} root
 * @returns {import("eslint").Linter.Config[]}
 */
export function boundaryConfigs(root) {
  return readProjects(root).flatMap((project) => {
    const own = [project.name, ...allowedImports(project)];
    return [
      {
        name: `stagecraft/boundaries/${project.dir}`,
        files: [`${project.dir}/src/**/*.ts`],
        ignores: TEST_FILES,
        rules: { ...importRules(project, allowedImports(project)), ...environmentRules(project) },
      },
      {
        name: `stagecraft/boundaries/${project.dir}/tests`,
        files: TEST_FILES.map((pattern) =>
          pattern.startsWith("*/*/")
            ? pattern.replace("*/*", project.dir)
            : `${project.dir}/${pattern}`,
        ),
        rules: importRules({ ...project, name: "*" }, [...own, "testing", ...project.dependencies]),
      },
      {
        name: `stagecraft/boundaries/${project.dir}/web`,
        files: [`${project.dir}/web/src/**/*.{ts,tsx}`],
        ignores: ["**/*.test.ts"],
        rules: { "no-restricted-imports": ["error", { patterns: [PAGES_RESTRICTION] }] },
      },
    ];
  });
}

/**
 * @param {import("../module-boundaries.mjs").Project} project `name: "*"` opens every door
 * @param {readonly string[]} allowed
 * @returns {import("eslint").Linter.RulesRecord}
 */
function importRules(project, allowed) {
  const restrictions = [
    {
      regex: `^@stagecraft/(?!(${allowed.join("|")})$)`,
      message: `${project.dir} may import: ${allowed.join(", ") || "no @stagecraft package"} (table in tools/module-boundaries.mjs; declare it in package.json; no deep imports).`,
    },
    {
      regex: "^(\\./)?(\\.\\./)+(libs|services)/|^(\\.\\./)+[^/.]+/(src|dist)/",
      message: "Import other projects by their package name, never by path.",
    },
    ...DOORS.filter(({ projects }) => project.name !== "*" && !projects.includes(project.name)).map(
      ({ pattern, instead }) => ({ regex: `^${pattern}`, message: `Use ${instead} instead.` }),
    ),
  ];
  return {
    "no-restricted-imports": ["error", { patterns: restrictions }],
    "no-restricted-syntax": [
      "error",
      ...restrictions.map(({ regex, message }) => ({
        selector: `ImportExpression[source.value=/${regex.replaceAll("/", "\\u002f")}/]`,
        message,
      })),
    ],
  };
}

/**
 * @param {import("../module-boundaries.mjs").Project} project
 * @returns {import("eslint").Linter.RulesRecord}
 */
function environmentRules(project) {
  if (project.name === ENVIRONMENT_READER) return {};
  return {
    "no-restricted-properties": [
      "error",
      { object: "process", property: "env", message: ENVIRONMENT_MESSAGE },
    ],
  };
}
