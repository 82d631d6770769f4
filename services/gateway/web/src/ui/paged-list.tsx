import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Paged } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { ErrorNotice, Loading } from "./notice.js";
import { useAction, useLoad } from "./use-load.js";

/** A list of the API that goes on, with a button for more. `path` may hold a query. */
export function PagedList<T>({
  path,
  empty,
  children,
}: {
  path: string;
  empty: ComponentChildren;
  children: (items: readonly T[], reload: () => Promise<void>) => ComponentChildren;
}) {
  const first = useLoad<Paged<T>>(path);
  const [more, setMore] = useState<Paged<T>[]>([]);
  const { run, isBusy, error } = useAction();
  useEffect(() => setMore([]), [first.data]);
  if (first.error) return <ErrorNotice error={first.error} retry={first.reload} />;
  if (!first.data) return <Loading />;
  const parts = [first.data, ...more];
  const items = parts.flatMap((part) => part.items);
  if (items.length === 0) return <>{empty}</>;
  const next = parts.at(-1)!.next;
  const loadMore = () =>
    run(async () => {
      const glue = path.includes("?") ? "&" : "?";
      const after = `${path}${glue}after=${encodeURIComponent(next ?? "")}`;
      const part = await request<Paged<T>>("GET", after);
      setMore((all) => [...all, part]);
    });
  return (
    <>
      {children(items, first.reload)}
      <ErrorNotice error={error} />
      {next !== null && (
        <div class="actions">
          <button class="button" type="button" disabled={isBusy} onClick={() => void loadMore()}>
            Show more
          </button>
        </div>
      )}
    </>
  );
}
