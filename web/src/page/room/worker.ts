/** The hub as a SharedWorker: one for all tabs, ended by the browser with the last of them. */

import { Hub } from "./hub.ts";
import type { Port, ToHub } from "./words.ts";

const hub = new Hub();

addEventListener("connect", (event) => {
  const [channel] = (event as MessageEvent).ports;
  if (channel === undefined) return;
  const port: Port = { send: (message) => channel.postMessage(message) };
  channel.onmessage = ({ data }: MessageEvent<ToHub>) => hub.hear(port, data);
});
