/** Opens the room: in a SharedWorker; else in one tab that the others elect; else in each tab. */

import { newUuid } from "../../client/ids.ts";
import { drawn } from "../drawn.ts";
import { Hub } from "./hub.ts";
import { Tab } from "./tab.ts";
import type { Port, Room, ToHub, ToTab } from "./words.ts";

const NAME = "headrace-room";

type Posted =
  | { readonly to: "hub"; readonly from: string; readonly message: ToHub }
  | { readonly to: string; readonly message: ToTab };

type Send = (message: ToHub) => unknown;

/** The room is entered once the page has been drawn: starting a worker takes a processor for a while. */
export function openRoom(): Room {
  const early: ToHub[] = [];
  let send: Send = (message) => early.push(message);
  const tab = new Tab((message) => send(message));
  void drawn.then(() => {
    send = enter(tab);
    for (const message of early) send(message);
  });
  return tab;
}

/** Return what takes the tab's messages to the hub. */
function enter(tab: Tab): Send {
  if (typeof SharedWorker !== "undefined") {
    try {
      return inWorker(tab);
    } catch {
      // refused by the browser, as in some private windows
    }
  }
  return "locks" in navigator && typeof BroadcastChannel !== "undefined" ? elected(tab) : alone(tab);
}

function inWorker(tab: Tab): Send {
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: NAME });
  worker.port.onmessage = ({ data }: MessageEvent<ToTab>) => tab.take(data);
  return (message) => worker.port.postMessage(message);
}

/** Whoever holds the lock is the hub; when that tab goes, the next one is, and all tell it what they follow. */
function elected(tab: Tab): Send {
  const own = newUuid();
  const channel = new BroadcastChannel(NAME);
  let serve: ((from: string, message: ToHub) => void) | null = null;
  const post = (posted: Posted): void => channel.postMessage(posted);
  channel.onmessage = ({ data }: MessageEvent<Posted>) => {
    if (data.to === "hub") serve?.("from" in data ? data.from : "", data.message as ToHub);
    else if (data.to === own || data.to === "all") tab.take(data.message as ToTab);
  };
  void navigator.locks.request(NAME, () => {
    const hub = new Hub();
    const ports = new Map<string, Port>();
    serve = (from, message) => {
      const port = ports.get(from) ?? {
        send: (said: ToTab) => (from === own ? tab.take(said) : post({ to: from, message: said })),
      };
      ports.set(from, port);
      if (message.type === "bye") ports.delete(from);
      hub.hear(port, message);
    };
    post({ to: "all", message: { type: "hub" } });
    tab.take({ type: "hub" });
    return new Promise(() => undefined);
  });
  return (message) => {
    if (serve !== null) serve(own, message);
    else post({ to: "hub", from: own, message });
  };
}

function alone(tab: Tab): Send {
  const hub = new Hub();
  const port: Port = { send: (message) => tab.take(message) };
  return (message) => hub.hear(port, message);
}
