import type { ComponentChildren } from "preact";
import type { ApiError } from "../api/client.js";

/** What went wrong and what to do; read out at once. */
export function ErrorNotice({
  error,
  retry,
}: {
  error: ApiError | undefined;
  retry?: () => unknown;
}) {
  if (!error || error.code === "cancelled") return null;
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>{error.message}</strong>
        {error.field && <span class="soft"> (field: {error.field})</span>}
      </p>
      {error.advice && <p>{error.advice}</p>}
      {retry && (
        <div class="actions">
          <button class="button small" type="button" onClick={() => void retry()}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

/** Something that worked, or that is worth knowing. */
export function Notice({ kind = "", children }: { kind?: string; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`} role="status">
      {children}
    </div>
  );
}

/** A page or list without anything in it: says why and what to do next. */
export function EmptyState({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="empty-state">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** While the first data of a page is on its way. */
export function Loading() {
  return (
    <p class="soft" role="status">
      Loading …
    </p>
  );
}
