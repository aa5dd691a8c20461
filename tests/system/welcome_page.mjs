// Runs the sign-in page's script as a browser would, as far as it needs one: URL HASH FORM FIELDS, the fields as JSON.
// Prints what the page shows, what it asked for, and what stands in the address afterwards.

import { readFile } from "node:fs/promises";

const [file, url, hash, form, fields] = process.argv.slice(2);
const elements = {};
const asked = [];
let cookie = "";

globalThis.document = {
  getElementById: (id) =>
    (elements[id] ??= { id, hidden: true, textContent: "", listeners: {}, addEventListener(kind, listener) { this.listeners[kind] = listener; } }),
};
globalThis.location = { hash, pathname: "/" };
globalThis.history = { replaceState: (_state, _title, path) => { globalThis.location = { hash: "", pathname: path }; } };
globalThis.FormData = class {
  get(name) { return JSON.parse(fields)[name] ?? ""; }
  *[Symbol.iterator]() { yield* Object.entries(JSON.parse(fields)); }
};
const real = globalThis.fetch;
globalThis.fetch = async (path, options) => {
  asked.push(`${options.method} ${path}`);
  const headers = { ...options.headers, origin: url, ...(cookie && { cookie }) };
  const reply = await real(url + path, { ...options, headers });
  for (const set of reply.headers.getSetCookie()) cookie = set.split(";")[0];
  return reply;
};

await import(`data:text/javascript;base64,${Buffer.from(await readFile(file)).toString("base64")}`);
if (form) await elements[form].listeners[form === "sign-out" ? "click" : "submit"]({ preventDefault() {}, target: form });

const shown = Object.fromEntries(Object.values(elements).map(({ id, hidden, textContent }) => [id, { hidden, text: textContent }]));
console.log(JSON.stringify({ shown, asked, hash: globalThis.location.hash, cookie }));
