/** What the page asks for and shows as it came: chats, models, settings. */

import { useQuery } from "@tanstack/react-query";
import type { Model } from "../../client/index.ts";
import { drawn } from "../drawn.ts";
import { isStreamed } from "./session.ts";
import { client } from "./talks.ts";

export function useChats(): ReturnType<typeof useQuery<Awaited<ReturnType<typeof client.chats.list>>>> {
  return useQuery({ queryKey: ["chats"], queryFn: () => drawn.then(() => client.chats.list({ limit: 100 })) });
}

export function useModels(): readonly Model[] {
  const { data } = useQuery({ queryKey: ["models"], queryFn: () => drawn.then(() => client.models.list()), staleTime: 30_000 });
  return data ?? [];
}

export function useStreamed(): boolean {
  const { data } = useQuery({ queryKey: ["streamed"], queryFn: isStreamed, staleTime: Infinity });
  return data ?? true;
}
