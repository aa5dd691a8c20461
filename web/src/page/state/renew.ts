/** Asks again for what has changed on the server: soon, and not more often than it answers. */

import type { QueryClient } from "@tanstack/react-query";

/** Return what asks for the queries of this name again. What is on its way then may be older than the change. */
export function renewer(queries: QueryClient): (name: string) => Promise<void> {
  const busy = new Set<string>();
  const due = new Set<string>();
  return async (name) => {
    due.add(name);
    if (busy.has(name)) return;
    busy.add(name);
    const which = { queryKey: [name] };
    if (queries.isFetching(which) > 0) await queries.refetchQueries(which, { cancelRefetch: false });
    while (due.delete(name)) await queries.invalidateQueries(which);
    busy.delete(name);
  };
}
