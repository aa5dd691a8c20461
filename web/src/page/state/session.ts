/** Who uses this browser. */

import { ApiError } from "../../client/index.ts";
import { Server } from "../../client/http.ts";
import { isObject } from "../../client/errors.ts";
import { fetchOrBegun } from "../early.ts";

export interface Session {
  /** Whether anybody has to say who they are. */
  readonly access: boolean;
  readonly name: string;
  readonly role: string;
}

const server = new Server({ fetch: fetchOrBegun });
const PATH = "/api/v1/session";

/** The invitation or sign-in link in the page's address: taken out of it at once, so that no history keeps it. */
export const link: string | null = new URLSearchParams(location.hash.slice(1)).get("signin");
if (link !== null) history.replaceState(null, "", location.pathname);

/** Return who is signed in; null for nobody. */
export async function session(): Promise<Session | null> {
  return known(() => server.ask("GET", PATH));
}

/** Sign in with what is given: a link (with a name where it invites), a token, or name and passphrase. */
export async function signIn(what: Readonly<Record<string, string>>): Promise<Session> {
  return (await server.ask("POST", PATH, { body: what })) as Session;
}

export async function signOut(): Promise<void> {
  await server.ask("DELETE", PATH);
}

/** Return whether a link that was refused would do with a name. */
export function wantsName(error: unknown): boolean {
  return error instanceof ApiError && (error.code === "name_taken" || error.details["field"] === "name");
}

/** Return whether answers are to be shown while they are made. */
export async function isStreamed(): Promise<boolean> {
  const said = await server.ask("GET", "/api/config");
  return !isObject(said) || said["streaming"] !== false;
}

async function known(work: () => Promise<unknown>): Promise<Session | null> {
  try {
    return (await work()) as Session;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}
