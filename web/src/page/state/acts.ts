/** What a person can do: send, stop, try again, go on, edit, choose, remove. */

import { ApiError, Backoff, ClientError } from "../../client/index.ts";
import { sleep } from "../../client/backoff.ts";
import { Server } from "../../client/http.ts";
import { newUuid } from "../../client/ids.ts";
import { changeNode, changeTalk, complain, getState, nodeOf, say, setState, talkOf } from "./store.ts";
import { client, follow, moved, name, refresh, runOf } from "./talks.ts";
import { chosenModel } from "./choice.ts";
import { leafBelow, without } from "./tree.ts";
import type { Key, Node } from "./words.ts";

const server = new Server();
const TITLE_LETTERS = 60;

interface Begun {
  readonly run_id: string;
  readonly user_message_id: number | null;
  readonly assistant_message_id: number;
}

/** What was asked for, so that it can be asked for again: the same id is the same turn. */
interface Wish {
  readonly path: (talkId: number) => string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly user: Key | null;
}

const wishes = new Map<Key, Wish>();
const stopped = new Set<Key>();

/** Say something below a message (null: at the beginning; left out: where the conversation stands). */
export function send(talkKey: Key, content: string, options: { parent?: Key | null } = {}): void {
  const talk = talkOf(talkKey);
  if (talk === undefined) return;
  const parent = options.parent === undefined ? talk.leaf : options.parent;
  const user = blank("user", parent, { parts: [{ type: "text", text: content }], status: "complete", live: null });
  const answer = blank("assistant", user.key);
  changeTalk(talkKey, ({ nodes }) => ({
    nodes: { ...nodes, [user.key]: user, [answer.key]: answer },
    leaf: answer.key,
  }));
  const parentId = parent === null ? null : (talk.nodes[parent]?.id ?? null);
  wishes.set(answer.key, {
    path: (id) => `/api/v1/chats/${id}/turns`,
    body: { content, client_id: newUuid(), model: chosenModel() ?? undefined, parent_id: parentId },
    user: user.key,
  });
  void begin(talkKey, answer.key);
}

/** Another answer beside this one. */
export function regenerate(talkKey: Key, key: Key): void {
  const old = nodeOf(talkKey, key);
  if (old === undefined) return;
  if (old.id === null) {
    // the server has never heard of it: the same turn once more
    changeNode(talkKey, key, () => ({ status: "queued", error: null, live: begunNow() }));
    void begin(talkKey, key);
    return;
  }
  const answer = blank("assistant", old.parent);
  changeTalk(talkKey, ({ nodes }) => ({ nodes: { ...nodes, [answer.key]: answer }, leaf: answer.key }));
  wishes.set(answer.key, {
    path: () => `/api/v1/messages/${old.id}/regenerate`,
    body: { client_id: newUuid(), model: chosenModel() ?? undefined },
    user: null,
  });
  void begin(talkKey, answer.key);
}

/** Go on with an answer that was cut. */
export async function goOn(talkKey: Key, key: Key): Promise<void> {
  const node = nodeOf(talkKey, key);
  if (node?.id == null) return;
  const { status, error, parts } = node;
  changeNode(talkKey, key, () => ({ status: "queued", error: null, live: begunNow() }));
  stopped.delete(key);
  moved(talkKey);
  try {
    const begun = await ask(`/api/v1/messages/${node.id}/continue`, { client_id: newUuid() }, () => stopped.has(key));
    begunAs(talkKey, key, begun, parts);
  } catch (problem) {
    changeNode(talkKey, key, () => ({ status, error, live: null }));
    complain(problem);
  }
}

/** Stop an answer: in every phase, also before the server has said which run it is. */
export async function stop(talkKey: Key, key: Key): Promise<void> {
  changeNode(talkKey, key, ({ live }) => ({ live: live && { ...live, stopping: true } }));
  stopped.add(key);
  const runId = runOf(talkKey, key);
  if (runId === null) return;
  const backoff = new Backoff();
  for (;;) {
    try {
      await client.runs.stop(runId);
      return;
    } catch (error) {
      if (nodeOf(talkKey, key)?.live == null) return;
      if (!(error instanceof ClientError && error.retryable)) {
        complain(error);
        return;
      }
      await sleep(backoff.wait());
    }
  }
}

/** Show another of a message's alternatives, and what followed it. */
export async function choose(talkKey: Key, key: Key): Promise<void> {
  const talk = talkOf(talkKey);
  if (talk === undefined) return;
  const leaf = leafBelow(talk.nodes, key);
  moved(talkKey);
  changeTalk(talkKey, () => ({ leaf }));
  const leafId = talk.nodes[leaf]?.id ?? null;
  if (talk.id !== null && leafId !== null) await attempt(client.chats.change(talk.id, { leaf_id: leafId }));
  moved(talkKey);
}

/** Remove a message and all that follows it. */
export async function remove(talkKey: Key, key: Key): Promise<void> {
  const talk = talkOf(talkKey);
  const node = talk?.nodes[key];
  if (talk === undefined || node === undefined) return;
  moved(talkKey);
  changeTalk(talkKey, ({ nodes, leaf }) => {
    const left = without(nodes, key);
    return { nodes: left, leaf: leaf !== null && left[leaf] === undefined ? leafBelow(left, node.parent) : leaf };
  });
  say("Deleted.");
  if (node.id === null) return;
  await attempt(client.messages.delete(node.id));
  moved(talkKey);
  await refresh(talkKey);
}

export async function removeTalk(chatId: number): Promise<void> {
  await attempt(client.chats.delete(chatId));
}

async function attempt(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    complain(error);
  }
}

async function begin(talkKey: Key, key: Key): Promise<void> {
  const wish = wishes.get(key);
  if (wish === undefined) return;
  stopped.delete(key);
  moved(talkKey);
  try {
    const isOver = (): boolean => stopped.has(key);
    const id = await talkId(talkKey, wish, isOver);
    const begun = await ask(wish.path(id), wish.body, isOver);
    if (begun.user_message_id !== null && wish.user !== null) adopt(talkKey, wish.user, begun.user_message_id);
    adopt(talkKey, key, begun.assistant_message_id);
    wishes.delete(key);
    begunAs(talkKey, key, begun, []);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) setState({ signedOut: true });
    fail(talkKey, key, error);
  }
}

/** Return the chat's id; a chat that there is not yet is made, and its first words are its title. */
async function talkId(talkKey: Key, wish: Wish, isOver: () => boolean): Promise<number> {
  const known = talkOf(talkKey)?.id ?? null;
  if (known !== null) return known;
  const content = wish.body["content"];
  const title = typeof content === "string" ? titleFrom(content) : null;
  const chat = await patiently(() => client.chats.create(title === null ? {} : { title }), isOver);
  name("talk", chat.id, talkKey);
  changeTalk(talkKey, () => ({ id: chat.id, title: chat.title }));
  return chat.id;
}

function titleFrom(content: string): string | null {
  const line = content.trim().split("\n", 1)[0]?.trim() ?? "";
  if (line.length <= TITLE_LETTERS) return line || null;
  return `${line.slice(0, TITLE_LETTERS).replace(/\s+\S*$/, "")}…`;
}

function adopt(talkKey: Key, key: Key, id: number): void {
  name("node", id, key);
  changeNode(talkKey, key, () => ({ id }));
}

function begunAs(talkKey: Key, key: Key, begun: Begun, parts: Node["parts"]): void {
  moved(talkKey);
  changeNode(talkKey, key, ({ runs }) => ({ runs: [...runs.filter((run) => run !== begun.run_id), begun.run_id] }));
  follow(talkKey, key, { id: begun.run_id, after: -1, parts });
  if (stopped.has(key)) void stop(talkKey, key);
}

async function ask(path: string, body: Wish["body"], isOver: () => boolean): Promise<Begun> {
  return (await patiently(() => server.ask("POST", path, { body }), isOver)) as Begun;
}

/** Ask until there is an answer: a network that is away comes back, and what was asked twice happens once. */
async function patiently<T>(work: () => Promise<T>, isOver: () => boolean): Promise<T> {
  const backoff = new Backoff({ longestMs: 4000 });
  for (let tries = 1; ; tries += 1) {
    try {
      const reply = await work();
      if (tries > 1) setState({ lostSince: null, attempt: 0 });
      return reply;
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== "connection_lost") throw error;
      if (isOver()) throw new ClientError("Stopped before the server was reached.", { code: "not_sent", retryable: true });
      setState(({ lostSince }) => ({ lostSince: lostSince ?? Date.now(), attempt: tries }));
      await sleep(backoff.wait());
    }
  }
}

function fail(talkKey: Key, key: Key, error: unknown): void {
  const known = error instanceof ClientError ? error : null;
  changeNode(talkKey, key, () => ({
    status: "failed",
    live: null,
    error: {
      code: known?.code ?? "internal",
      message: error instanceof Error ? error.message : String(error),
      retryable: known?.retryable ?? true,
    },
  }));
}

function begunNow(): NonNullable<Node["live"]> {
  return {
    phase: { kind: "sending" },
    since: Date.now(),
    stopping: false,
    pieces: 0,
    perSecond: null,
    firstMs: null,
    maxTokens: null,
  };
}

function blank(role: Node["role"], parent: Key | null, fields: Partial<Node> = {}): Node {
  return {
    key: `${role}-${newUuid()}`,
    id: null,
    parent,
    role,
    parts: [],
    status: "queued",
    model: null,
    runs: [],
    usage: null,
    timings: null,
    error: null,
    finish: null,
    createdAt: Date.now(),
    live: begunNow(),
    switched: null,
    sources: [],
    corrections: [],
    ...fields,
  };
}

/** Return the answer that is made where the conversation stands, if one is. */
export function answering(talkKey: Key): Node | null {
  const talk = talkOf(talkKey);
  const node = talk?.leaf == null ? undefined : talk.nodes[talk.leaf];
  return node?.live == null ? null : node;
}

export function dismiss(): void {
  if (getState().problem !== null) setState({ problem: null });
}
