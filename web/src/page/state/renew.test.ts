import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { renewer } from "./renew.ts";

/** A list that is asked for: `answers` has what each request waits for. */
function list(): { renew: (name: string) => Promise<void>; answers: ((value: string) => void)[]; shown: () => unknown } {
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  const answers: ((value: string) => void)[] = [];
  const queryFn = (): Promise<string> => new Promise((resolve) => answers.push(resolve));
  new QueryObserver(queries, { queryKey: ["chats"], queryFn }).subscribe(() => undefined);
  return { renew: renewer(queries), answers, shown: () => queries.getQueryData(["chats"]) };
}

it("asks again where the first answer was on its way when something changed", async () => {
  const { renew, answers, shown } = list();
  const renewed = renew("chats");
  answers[0]?.("before");
  await expect.poll(() => answers).toHaveLength(2);
  answers[1]?.("after");
  await renewed;
  expect(shown()).toBe("after");
});

it("asks once more however much changes before the answer", async () => {
  const { renew, answers, shown } = list();
  answers[0]?.("first");
  await expect.poll(shown).toBe("first");
  const renewed = renew("chats");
  for (let count = 0; count < 20; count += 1) void renew("chats");
  await expect.poll(() => answers).toHaveLength(2);
  answers[1]?.("second");
  await expect.poll(() => answers).toHaveLength(3);
  answers[2]?.("third");
  await renewed;
  expect([answers.length, shown()]).toEqual([3, "third"]);
});
