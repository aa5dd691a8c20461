/** Opens the room: in a SharedWorker; else in one tab that the others elect; else in each tab. */

import { newUuid } from "../../client/ids.ts";
import { Hub } from "./hub.ts";
import { Tab } from "./tab.ts";
import type { Port, Room, ToHub, ToTab } from "./words.ts";

const NAME = "headrace-room";

type Posted =
  | { readonly to: "hub"; readonly from: string; readonly message: ToHub }
  | { readonly to: string; readonly message: ToTab };

export function openRoom(): Room {
  if (typeof SharedWorker !== "undefined") {
    try {
      return inWorker();
    } catch {
      // refused by the browser, as in some private windows
    }
  }
  return "locks" in navigator && typeof BroadcastChannel !== "undefined" ? elected() : alone();
}

function inWorker(): Room {
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: NAME });
  const tab = new Tab((message) => worker.port.postMessage(message));
  worker.port.onmessage = ({ data }: MessageEvent<ToTab>) => tab.take(data);
  return tab;
}

/** Whoever holds the lock is the hub; when that tab goes, the next one is, and all tell it what they follow. */
function elected(): Room {
  const own = newUuid();
  const channel = new BroadcastChannel(NAME);
  let serve: ((from: string, message: ToHub) => void) | null = null;
  const post = (posted: Posted): void => channel.postMessage(posted);
  const tab = new Tab((message) => {
    if (serve !== null) serve(own, message);
    else post({ to: "hub", from: own, message });
  });
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
  return tab;
}

function alone(): Room {
  const hub = new Hub();
  const port: Port = { send: (message) => tab.take(message) };
  const early: ToHub[] = [];
  let hears = false;
  const tab: Tab = new Tab((message) => (hears ? hub.hear(port, message) : early.push(message)));
  hears = true;
  for (const message of early) hub.hear(port, message);
  return tab;
}
