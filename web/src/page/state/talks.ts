/** What the page does with chats: opens them, keeps them as the server has them, and follows what is made in them. */

import { ApiError, Client, type Message, type Tree } from "../../client/index.ts";
import { newUuid } from "../../client/ids.ts";
import { drawn } from "../drawn.ts";
import { fetchOrBegun } from "../early.ts";
import { openRoom } from "../room/open.ts";
import type { News, Notice } from "../room/words.ts";
import { type Making, make } from "./making.ts";
import { changeNode, changeTalk, getState, nodeOf, putTalk, setState, talkOf } from "./store.ts";
import { nodeFrom } from "./tree.ts";
import { type Key, LIVE, type Node } from "./words.ts";

export const client = new Client({ fetch: fetchOrBegun });
export const room = openRoom();

const keys = new Map<string, Key>();
const makings = new Map<string, Making>();
const moves = new Map<Key, number>();
const followed = new Set<string>();
const taken = new Map<Key, number>();
let asked = 0;
let changed: (list: List) => void = () => undefined;

/** What the page shows as the server has it. */
export type List = "chats" | "models";

const ECHO_MS = 200; // a notice of what this tab asked for may come before the reply that names it

/** Return the page's key of a chat or message of the server's. */
export function keyOf(kind: "talk" | "node", id: number): Key {
  return keys.get(`${kind} ${id}`) ?? `${kind}-${id}`;
}

/** From now on the server's id means this key. */
export function name(kind: "talk" | "node", id: number, key: Key): void {
  keys.set(`${kind} ${id}`, key);
}

/** Call this whenever a list is not as it was. */
export function onChanged(listener: (list: List) => void): void {
  changed = listener;
}

/** Return the key of a talk that there is not yet. */
export function newTalk(): Key {
  const key = `new-${newUuid()}`;
  putTalk({ key, id: null, title: null, model: null, nodes: {}, leaf: null, state: "ready" });
  return key;
}

/** Know of no chat any more: whoever comes next may be somebody else. */
export function forgetTalks(): void {
  for (const making of makings.values()) making.leave();
  for (const known of [keys, makings, moves, followed, taken]) known.clear();
  setState({ talks: {}, shown: "" });
}

/** Show a chat, and get it as it is now. */
export async function open(chatId: number): Promise<Key> {
  const key = keyOf("talk", chatId);
  if (talkOf(key) === undefined) {
    putTalk({ key, id: chatId, title: null, model: null, nodes: {}, leaf: null, state: "loading" });
  }
  setState({ shown: key });
  await refresh(key);
  return key;
}

/** Something was done to a chat here: what was asked of the server before does not know it. */
export function moved(key: Key): void {
  moves.set(key, (moves.get(key) ?? 0) + 1);
}

/** Take a chat from the server: what is known only here stays. */
export async function refresh(key: Key): Promise<void> {
  const id = talkOf(key)?.id ?? null;
  if (id === null) return;
  try {
    const before = moves.get(key);
    const number = (asked += 1);
    const tree = await client.chats.get(id);
    if (moves.get(key) !== before) {
      await refresh(key);
    } else if (number > (taken.get(key) ?? 0)) {
      taken.set(key, number); // what was asked for before this one is older, and may come later
      take(key, tree);
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) setState({ signedOut: true });
    else if (error instanceof ApiError && error.status === 404) changeTalk(key, () => ({ state: "missing" }));
    else if (talkOf(key)?.state === "loading") changeTalk(key, () => ({ state: "unreachable" }));
  }
}

function take(key: Key, tree: Tree): void {
  // the server may know a turn by ids that this page is about to be told: it is not shown twice meanwhile
  if (Object.values(talkOf(key)?.nodes ?? {}).some((node) => node.id === null && node.live !== null)) return;
  changeTalk(key, (talk) => {
    const nodes: Record<Key, Node> = {};
    for (const message of tree.messages) {
      const own = keyOf("node", message.id);
      const known = talk.nodes[own];
      // of an answer that is followed here the page knows more
      const isFollowed = known?.live != null && makings.has(own) && LIVE.has(message.status);
      nodes[own] = isFollowed ? known : nodeFrom(message, (each) => keyOf("node", each), known);
    }
    const unsent = Object.values(talk.nodes).filter((node) => node.id === null);
    for (const node of unsent) nodes[node.key] = node;
    const isAhead = talk.leaf !== null && nodes[talk.leaf]?.id === null;
    const leaf = isAhead ? talk.leaf : tree.leaf_id === null ? null : keyOf("node", tree.leaf_id);
    return { title: tree.title, model: tree.model, nodes, leaf, state: "ready" };
  });
  for (const message of tree.messages) if (LIVE.has(message.status)) followMessage(key, message);
}

function followMessage(talk: Key, message: Message): void {
  const runId = message.runs.at(-1);
  const key = keyOf("node", message.id);
  if (runId === undefined || makings.has(key)) return;
  follow(talk, key, { id: runId, after: message.seq ?? -1, parts: message.parts });
  void limitOf(talk, key, runId);
}

/** Follow a run until it ends. */
export function follow(talk: Key, key: Key, run: { id: string; after: number; parts: Message["parts"] }): void {
  makings.get(key)?.leave();
  followed.add(run.id);
  const making = make(room, talk, key, run, (node) => {
    if (makings.get(key) === making) makings.delete(key);
    making.leave();
    // the stream is at its end without saying how the run ended: the message says it
    if (node?.live != null) void refresh(talk);
  });
  makings.set(key, making);
}

/** What came before the events that are read is asked for: how long the answer may become, and since when it is made. */
async function limitOf(talk: Key, key: Key, runId: string): Promise<void> {
  try {
    await drawn;
    const { parameters, created_at } = await client.runs.get(runId);
    const limit = parameters["max_tokens"];
    changeNode(talk, key, ({ live }) => ({
      live: live && { ...live, since: created_at, maxTokens: typeof limit === "number" ? limit : live.maxTokens },
    }));
  } catch {
    // a figure less
  }
}

/** The run that makes this message, where it is known. */
export function runOf(talk: Key, key: Key): string | null {
  return makings.get(key)?.runId ?? nodeOf(talk, key)?.runs.at(-1) ?? null;
}

/** Hear what happens elsewhere: in other tabs, on other devices, on the way to the server. */
export function listen(): () => void {
  const back = (): void => {
    if (document.visibilityState === "visible") void refresh(getState().shown);
  };
  document.addEventListener("visibilitychange", back);
  const deaf = room.hear(hear);
  setState({ lostSince: Date.now() }); // until there is a connection nobody tells what happens
  room.wake();
  return () => {
    deaf();
    document.removeEventListener("visibilitychange", back);
  };
}

function hear(news: News): void {
  switch (news.type) {
    case "lost":
      setState(({ lostSince }) => ({ lostSince: lostSince ?? Date.now(), attempt: news.attempt }));
      return;
    case "found":
      if (getState().lostSince !== null) {
        setState({ lostSince: null, attempt: 0 });
        // notices are not kept for who is away
        void refresh(getState().shown);
        changed("chats");
        changed("models");
      }
      return;
    case "unauthorized":
      setState({ signedOut: true });
      return;
    case "notice":
      noticed(news.notice);
  }
}

/** Something changed on the server: by this tab, by another one, on another device, by a program. */
function noticed({ type, chat_id: chatId, run_id: runId }: Notice): void {
  if (type === "model.changed") changed("models");
  if (chatId === undefined) return;
  changed("chats");
  setTimeout(() => {
    const { shown } = getState();
    // of the runs that it follows this tab knows all; other chats are asked for when they are shown
    if (talkOf(shown)?.id === chatId && (runId === undefined || !followed.has(runId))) void refresh(shown);
  }, ECHO_MS);
}
