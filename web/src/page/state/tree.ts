/** A chat as a tree of messages: pure, by keys. */

import type { Message } from "../../client/index.ts";
import { type Key, LIVE, type Node, type Talk } from "./words.ts";

/** Return the messages from the beginning to the leaf. */
export function pathOf({ nodes, leaf }: Pick<Talk, "nodes" | "leaf">): readonly Node[] {
  const path: Node[] = [];
  for (let key = leaf; key !== null; ) {
    const node: Node | undefined = nodes[key];
    if (node === undefined) break;
    path.push(node);
    key = node.parent;
  }
  return path.reverse();
}

/** Return a message and its alternatives, the first made first. */
export function siblingsOf(nodes: Talk["nodes"], key: Key): readonly Node[] {
  const own = nodes[key];
  if (own === undefined) return [];
  return inOrder(Object.values(nodes).filter((node) => node.parent === own.parent && node.role === own.role));
}

/** Return where a conversation goes on that passes this message (null: at the beginning): always with what was made last. */
export function leafBelow<Above extends Key | null>(nodes: Talk["nodes"], key: Above): Key | Above {
  const last = inOrder(Object.values(nodes).filter((node) => node.parent === key)).at(-1);
  return last === undefined ? key : leafBelow(nodes, last.key);
}

/** Return the tree without a message and all that follows it. */
export function without(nodes: Talk["nodes"], key: Key): Talk["nodes"] {
  const gone = new Set([key]);
  for (const node of inOrder(Object.values(nodes))) if (node.parent !== null && gone.has(node.parent)) gone.add(node.key);
  return Object.fromEntries(Object.entries(nodes).filter(([each]) => !gone.has(each)));
}

function inOrder(nodes: Node[]): Node[] {
  // what the server does not know yet was made last
  return nodes.sort((one, other) => (one.id ?? Infinity) - (other.id ?? Infinity) || one.createdAt - other.createdAt);
}

/** Return a message of the server's as the page has it. `keyOf` names messages by their ids. */
export function nodeFrom(message: Message, keyOf: (id: number) => Key, known: Node | undefined): Node {
  const isLive = LIVE.has(message.status);
  const fresh = {
    phase: phaseFrom(message),
    since: message.updated_at,
    stopping: false,
    pieces: 0,
    perSecond: null,
    firstMs: null,
    maxTokens: null,
  };
  return {
    key: keyOf(message.id),
    id: message.id,
    parent: message.parent_id === null ? null : keyOf(message.parent_id),
    role: message.role,
    parts: message.parts,
    status: message.status,
    model: message.model,
    runs: message.runs,
    usage: message.usage,
    timings: message.timings,
    error: message.error,
    finish: message.finish_reason,
    createdAt: message.created_at,
    live: isLive ? (known?.live ?? fresh) : null,
    switched: known?.switched ?? null,
    sources: known?.sources ?? [],
    corrections: known?.corrections ?? [],
  };
}

function phaseFrom({ status, parts }: Message): NonNullable<Node["live"]>["phase"] {
  switch (status) {
    case "queued":
      return { kind: "queued", place: null };
    case "loading":
      return { kind: "loading", model: null, progress: null };
    case "reading":
      return { kind: "waiting" };
    default:
      return parts.length === 0 ? { kind: "waiting" } : { kind: parts.at(-1)?.type === "reasoning" ? "thinking" : "writing" };
  }
}
