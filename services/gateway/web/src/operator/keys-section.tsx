import { useState } from "preact/hooks";
import type {
  ApiKey,
  ApiKeyCreated,
  ApiKeys,
  ApiScope,
  CreateApiKey,
} from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { Field } from "../ui/field.js";
import { dateTime } from "../ui/format.js";
import { ErrorNotice, Loading } from "../ui/notice.js";
import { OnceToCopy } from "../ui/once-to-copy.js";
import { useAction, useLoad } from "../ui/use-load.js";

const SCOPES: readonly (readonly [ApiScope, string])[] = [
  ["generate", "Ask models for answers"],
  ["score", "Ask reward models for scores"],
];
const LIMITS = [
  ["requestsPerMinute", "Requests a minute"],
  ["tokensPerMinute", "Tokens a minute"],
  ["concurrent", "Requests at the same time"],
] as const;
const EMPTY: CreateApiKey = {
  ...{ name: "", scopes: ["generate"] },
  ...{ requestsPerMinute: null, tokensPerMinute: null, concurrent: null },
};

/** Keys with which programs call the models: made, shown once, ended. */
export function KeysSection() {
  const loaded = useLoad<ApiKeys>("operator/keys");
  return (
    <>
      <NewKey onCreated={loaded.reload} />
      <section>
        <h2>Keys of programs</h2>
        {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
        {loaded.data ? (
          <KeyTable keys={loaded.data.keys} onEnded={loaded.reload} />
        ) : (
          !loaded.error && <Loading />
        )}
      </section>
    </>
  );
}

function NewKey({ onCreated }: { onCreated: () => unknown }) {
  const [wanted, setWanted] = useState(EMPTY);
  const [made, setMade] = useState<ApiKeyCreated>();
  const { run, error, isBusy } = useAction();
  const set = (change: Partial<CreateApiKey>) => setWanted({ ...wanted, ...change });
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      setMade(await request<ApiKeyCreated>("POST", "operator/keys", wanted));
      setWanted(EMPTY);
      onCreated();
    });
  };
  const { scopes } = wanted;
  return (
    <form class="tile" onSubmit={submit}>
      <h2>A key for a program</h2>
      <p class="soft">
        Programs send it to <code>/v1</code>, as any client of OpenAI’s API does.
      </p>
      <Field label="Name" hint="Of the program, or of who runs it.">
        <input
          dir="auto"
          required
          maxLength={80}
          value={wanted.name}
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </Field>
      <fieldset>
        <legend>It may</legend>
        {SCOPES.map(([scope, text]) => (
          <label class="choice" key={scope}>
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(event) => {
                const others = scopes.filter((each) => each !== scope);
                set({ scopes: event.currentTarget.checked ? [...others, scope] : others });
              }}
            />
            {text}
          </label>
        ))}
      </fieldset>
      {LIMITS.map(([limit, label]) => (
        <Field key={limit} label={label} hint="Empty: no limit.">
          <input
            type="number"
            min={1}
            value={wanted[limit] ?? ""}
            onInput={({ currentTarget: { value } }) =>
              set({ [limit]: value === "" ? null : Number(value) })
            }
          />
        </Field>
      ))}
      <ErrorNotice error={error} />
      {made && (
        <OnceToCopy label="Key" action="Copy the key" value={made.secret}>
          The key for <bdi>{made.key.name}</bdi>. It is not shown again.
        </OnceToCopy>
      )}
      <button class="button primary" disabled={isBusy || scopes.length === 0}>
        Make a key
      </button>
    </form>
  );
}

function KeyTable({ keys, onEnded }: { keys: ApiKey[]; onEnded: () => unknown }) {
  const { run, error, isBusy } = useAction();
  const end = ({ keyId }: ApiKey) =>
    void run(async () => {
      await request("DELETE", `operator/keys/${keyId}`);
      onEnded();
    });
  if (keys.length === 0) return <p class="soft">None yet.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Keys of programs">
      <ErrorNotice error={error} />
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Begins</th>
            <th scope="col">May</th>
            <th scope="col">Limits</th>
            <th scope="col">Used last</th>
            <th scope="col">End it</th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.keyId}>
              <td>
                <bdi>{key.name}</bdi>
              </td>
              <td>
                <code>{key.prefix}…</code>
              </td>
              <td>{key.scopes.join(", ")}</td>
              <td>{limitsText(key)}</td>
              <td>{key.lastUsedAt ? dateTime(key.lastUsedAt) : "never"}</td>
              <td>
                <button
                  class="button small"
                  type="button"
                  disabled={isBusy}
                  aria-label={`End the key ${key.name}`}
                  onClick={() => end(key)}
                >
                  End
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function limitsText(key: ApiKey): string {
  const set = LIMITS.filter(([limit]) => key[limit] !== null);
  const texts = set.map(([limit, label]) => `${key[limit]} ${label.toLowerCase()}`);
  return texts.join(", ") || "none";
}
