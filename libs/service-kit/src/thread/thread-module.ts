/**
 * URL of a module beside the calling one, as a thread can run it: compiled JavaScript. Called from
 * sources (tests), it names the file that `npm run build` makes of them; Node cannot run TypeScript.
 */
export function threadModule(file: string, importMetaUrl: string): URL {
  const url = new URL(file, importMetaUrl);
  if (importMetaUrl.endsWith(".ts")) url.pathname = url.pathname.replace("/src/", "/dist/");
  return url;
}
