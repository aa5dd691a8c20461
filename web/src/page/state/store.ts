/** The page's one store. Who shows a message subscribes to that message alone. */

import { create } from "zustand";
import type { Key, Node, Talk } from "./words.ts";

interface State {
  readonly talks: Readonly<Record<Key, Talk>>;
  /** The talk that is shown. */
  readonly shown: Key;
  /** Since when, by this machine's clock, there is no connection; null while there is one. */
  readonly lostSince: number | null;
  readonly attempt: number;
  readonly signedOut: boolean;
  /** What could not be done, for people. */
  readonly problem: string | null;
  /** Said once to screen readers. */
  readonly said: string;
}

export const useStore = create<State>()(() => ({
  talks: {},
  shown: "",
  lostSince: null,
  attempt: 0,
  signedOut: false,
  problem: null,
  said: "",
}));

export const { getState, setState } = useStore;

export function talkOf(key: Key): Talk | undefined {
  return getState().talks[key];
}

export function nodeOf(talk: Key, key: Key): Node | undefined {
  return talkOf(talk)?.nodes[key];
}

export function putTalk(talk: Talk): void {
  setState(({ talks }) => ({ talks: { ...talks, [talk.key]: talk } }));
}

export function changeTalk(key: Key, change: (talk: Talk) => Partial<Talk>): void {
  const talk = talkOf(key);
  if (talk !== undefined) putTalk({ ...talk, ...change(talk) });
}

export function changeNode(talk: Key, key: Key, change: (node: Node) => Partial<Node>): void {
  changeTalk(talk, ({ nodes }) => {
    const node = nodes[key];
    return node === undefined ? {} : { nodes: { ...nodes, [key]: { ...node, ...change(node) } } };
  });
}

export function complain(error: unknown): void {
  setState({ problem: error instanceof Error ? error.message : String(error) });
}

export function say(said: string): void {
  setState({ said });
}
