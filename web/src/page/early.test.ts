import { afterEach, beforeEach, expect, it, vi } from "vitest";

let fetched: string[];
let replies: Map<string, () => Promise<Response>>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  fetched = [];
  replies = new Map();
  vi.stubGlobal("fetch", (path: string) => {
    fetched.push(path);
    return replies.get(path)?.() ?? Promise.resolve(new Response(`answer ${fetched.length}`));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function opened(pathname: string, hash = ""): Promise<typeof import("./early.ts")> {
  const early = await import("./early.ts");
  early.askEarly({ pathname, hash });
  return early;
}

it("asks for the session and the chat at once", async () => {
  await opened("/chat/7");
  expect(fetched).toEqual(["/api/v1/session", "/api/v1/chats/7"]);
});

it("asks for nothing where a link says who comes", async () => {
  await opened("/chat/7", "#signin=abc");
  expect(fetched).toEqual([]);
});

it("hands out what it was answered once", async () => {
  const { fetchOrBegun } = await opened("/chat");
  expect(await (await fetchOrBegun("/api/v1/session")).text()).toBe("answer 1");
  expect(await (await fetchOrBegun("/api/v1/session")).text()).toBe("answer 2");
});

it("asks again where it was refused, or not answered", async () => {
  const refusals = [() => Promise.resolve(new Response("no", { status: 401 })), () => Promise.reject(new TypeError("lost"))];
  for (const refused of refusals) {
    vi.resetModules();
    replies.set("/api/v1/session", refused);
    const { fetchOrBegun } = await opened("/chat");
    replies.clear();
    expect((await fetchOrBegun("/api/v1/session")).status).toBe(200);
  }
});

it("keeps no answer that is old", async () => {
  const { fetchOrBegun } = await opened("/chat");
  vi.advanceTimersByTime(6000);
  await fetchOrBegun("/api/v1/session");
  expect(fetched).toEqual(["/api/v1/session", "/api/v1/session"]);
});

it("leaves what changes something to fetch", async () => {
  const { fetchOrBegun } = await opened("/chat");
  await fetchOrBegun("/api/v1/session", { method: "DELETE" });
  expect(fetched).toHaveLength(2);
});
