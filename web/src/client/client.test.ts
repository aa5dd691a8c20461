import { expect, test } from "vitest";

import lock from "../../package-lock.json?raw";
import manifest from "../../package.json";
import { Client } from "./client.ts";
import { ClientError } from "./errors.ts";
import { newUuid } from "./ids.ts";
import { FakeServer, json, refused, runOf } from "./testing.ts";

function client(server: FakeServer): Client {
  return new Client({ baseUrl: "http://headrace", token: "secret", fetch: server.fetch });
}

function sent(server: FakeServer): string[] {
  return server.asked.map(({ method, path }) => `${method} ${path.replace("http://headrace/api/v1", "")}`);
}

test("every call has its address", async () => {
  const server = new FakeServer().answer(json({ models: [{ id: "box/a" }] }));
  const { chats, messages, runs, models } = client(server);
  await chats.create({ title: "T" });
  await chats.list({ matching: "Zürich & more", limit: 1, before: "b" });
  await chats.list();
  await chats.get(7);
  await chats.change(7, { title: null, leaf_id: 3 });
  await chats.delete(7);
  await messages.get(3);
  await messages.delete(3);
  await runs.list({ statuses: ["queued", "failed"] });
  await runs.get("run/1");
  await runs.stop("run_1");
  expect(await models.list()).toEqual([{ id: "box/a" }]);
  expect(sent(server)).toEqual([
    "POST /chats",
    "GET /chats?query=Z%C3%BCrich+%26+more&limit=1&before=b",
    "GET /chats",
    "GET /chats/7",
    "PATCH /chats/7",
    "DELETE /chats/7",
    "GET /messages/3",
    "DELETE /messages/3",
    "GET /runs?status=queued%2Cfailed",
    "GET /runs/run%2F1",
    "POST /runs/run_1/stop",
    "GET /models",
  ]);
  expect(server.asked[4]?.body).toEqual({ title: null, leaf_id: 3 });
  expect(server.asked.every(({ headers }) => headers.get("authorization") === "Bearer secret")).toBe(true);
});

test("every way of starting a run has its address, and sends what was given", async () => {
  const server = new FakeServer().answer({ pieces: runOf(["Hi"]) });
  const image = { type: "image", media_type: "image/png", data: "aGk=" } as const;
  const given = { model: "box/a", parameters: { top_p: 0.5 }, parentId: null, templateId: 2, documentIds: [4], clientId: "c" };
  expect(await client(server).turn(7, [image], given).text()).toBe("Hi");
  await client(server).turn(7, "Hello").text();
  await client(server).regenerate(3).text();
  await client(server).resume(3).text();
  expect(sent(server)).toEqual(["POST /chats/7/turns", "POST /chats/7/turns", "POST /messages/3/regenerate", "POST /messages/3/continue"]);
  expect(server.asked[0]?.body).toEqual({
    parts: [image],
    model: "box/a",
    parameters: { top_p: 0.5 },
    parent_id: null,
    template_id: 2,
    document_ids: [4],
    client_id: "c",
  });
  expect(server.asked[1]?.body).toEqual({ content: "Hello", client_id: expect.any(String) });
});

test("what goes wrong is an error with its code", async () => {
  const busy = json({ error: { code: "chat_busy", message: "Busy.", details: { run_id: "run_1" } } }, 409);
  const server = new FakeServer().answer(busy, refused(401, "unauthorized", "Who?"), { pieces: ["<html>"] }, "refuse");
  const { runs } = client(server);
  await expect(runs.get("a")).rejects.toMatchObject({ status: 409, code: "chat_busy", details: { run_id: "run_1" } });
  await expect(runs.get("a")).rejects.toMatchObject({ status: 401, code: "unauthorized", message: "Who?" });
  await expect(runs.get("a")).rejects.toMatchObject({ code: "no_headrace" });
  const lost = await runs.get("a").catch((error: unknown) => error);
  expect(lost).toBeInstanceOf(ClientError);
  expect(lost).toMatchObject({ code: "connection_lost", retryable: true });
});

test("ids are UUIDs of version 4, also where the page came over plain HTTP", () => {
  const ids = Array.from({ length: 100 }, newUuid);
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(new Set(ids).size).toBe(100);
});

test("the lock names no host, and nothing is needed at run time", () => {
  expect(lock).not.toMatch(/:\/\/|"resolved"/);
  expect(manifest).not.toHaveProperty("dependencies");
  for (const version of Object.values(manifest.devDependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});
