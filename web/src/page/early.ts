/**
 * Asks for what the page shows first while its script is still on the way.
 *
 * Who asks the server for the same within a few seconds is given that answer, once, if it is a good one.
 */

const KEPT_MS = 5000;

const begun = new Map<string, Promise<Response>>();

/** Ask for the session and the chat that the address names. Not for who comes with a link: it says who they are. */
export function askEarly({ pathname, hash }: { readonly pathname: string; readonly hash: string }): void {
  if (hash.startsWith("#signin=")) return;
  ask("/api/v1/session");
  const chat = /^\/chat\/(\d{1,15})$/.exec(pathname)?.[1];
  if (chat !== undefined) ask(`/api/v1/chats/${Number(chat)}`);
}

/** As `fetch`. */
export async function fetchOrBegun(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const early = typeof input === "string" && (init?.method ?? "GET") === "GET" ? begun.get(input) : undefined;
  if (early === undefined) return fetch(input, init);
  begun.delete(input as string);
  const reply = await early.catch(() => null);
  return reply?.ok === true ? reply : fetch(input, init);
}

function ask(path: string): void {
  begun.set(path, fetch(path, { cache: "no-store" }));
  begun.get(path)?.catch(() => undefined);
  setTimeout(() => begun.delete(path), KEPT_MS);
}
