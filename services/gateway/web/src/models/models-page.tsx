import type { RegisteredModelView, RegistryView } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { dateTime } from "../ui/format.js";
import { EmptyState, ErrorNotice, Loading } from "../ui/notice.js";
import { useAction, useLoad, useRefresh } from "../ui/use-load.js";
import { VersionCard } from "./version-card.js";
import "./models.css";

const REFRESH_MS = 10_000;

/** Models: versions by name, where each comes from, and which one is in use. */
export function ModelsPage() {
  const { data, error, reload, setData } = useLoad<RegistryView>("registry");
  useRefresh(reload, REFRESH_MS);
  return (
    <>
      <h1 tabIndex={-1}>Models</h1>
      <p class="lead">Every version, where it comes from, and which one is in use.</p>
      {error?.code === "not_found" ? (
        <NoRegistry />
      ) : (
        <ErrorNotice error={data ? undefined : error} retry={reload} />
      )}
      {!data && !error && <Loading />}
      {data?.models.length === 0 && <NothingYet />}
      {data?.models.map((model) => (
        <Model
          key={model.name}
          model={model}
          isServed={data.served.includes(model.name)}
          onChanged={setData}
        />
      ))}
    </>
  );
}

interface ModelProps {
  model: RegisteredModelView;
  isServed: boolean;
  onChanged: (view: RegistryView) => void;
}

function Model({ model, isServed, onChanged }: ModelProps) {
  const { name, versions, promotions } = model;
  const { run, error, isBusy } = useAction();
  const post = (what: string, body?: object) =>
    void run(async () =>
      onChanged(await request<RegistryView>("POST", `registry/${name}/${what}`, body)),
    );
  const current = versions.find(({ isPromoted }) => isPromoted);
  return (
    <section aria-label={name}>
      <h2>
        <bdi>{name}</bdi>{" "}
        {current ? (
          <span class="tag good">version {current.version} is in use</span>
        ) : (
          <span class="tag">no version is in use</span>
        )}
      </h2>
      <p class="soft">
        {isServed
          ? "The version in use answers on these pages at once."
          : "Programs that read the registry use the version in use; these pages do not serve it."}
      </p>
      <ErrorNotice error={error} />
      <div class="actions">
        <button
          class="button"
          type="button"
          disabled={isBusy || promotions.length < 2}
          onClick={() => post("rollback")}
        >
          Roll back to the version before
        </button>
        {isBusy && (
          <span class="soft" role="status">
            Changing …
          </span>
        )}
      </div>
      <ol class="model-versions">
        {versions.map((version) => (
          <VersionCard
            key={version.version}
            name={name}
            version={version}
            isBusy={isBusy}
            onPromote={() => post("promote", { version: version.version })}
          />
        ))}
      </ol>
      <details>
        <summary>Who put which version to use</summary>
        <ul>
          {promotions.map(({ version, at, by, kind }) => (
            <li key={at}>
              {dateTime(at)}: {kind === "promote" ? "version" : "back to version"} {version}, by{" "}
              <bdi>{by}</bdi>
            </li>
          ))}
        </ul>
      </details>
    </section>
  );
}

function NoRegistry() {
  return (
    <EmptyState title="No registry here">
      <p>
        This gateway was started without a registry of models. Start{" "}
        <code>npx stagecraft studio</code>, or give the gateway <code>--registry FILE</code> or a
        folder of an object store.
      </p>
    </EmptyState>
  );
}

function NothingYet() {
  return (
    <EmptyState title="No model yet">
      <p>
        <code>npx stagecraft models promote NAME DIR --registry PLACE</code> registers a model
        directory and puts it to use; PLACE is what this gateway has as <code>--registry</code>.
      </p>
    </EmptyState>
  );
}
