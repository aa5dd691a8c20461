/** The page: who uses it, which chat its address names, and what stands where. */

import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { drawnNext } from "../drawn.ts";
import { link, type Session, session, signIn, wantsName } from "../state/session.ts";
import { renewer } from "../state/renew.ts";
import { setState, useStore } from "../state/store.ts";
import { forgetTalks, listen, newTalk, onChanged, open } from "../state/talks.ts";
import { Conversation } from "./Conversation.tsx";
import { Notice, Spoken } from "./Notice.tsx";
import { Sidebar } from "./Sidebar.tsx";
import { SignIn } from "./SignIn.tsx";

type Who =
  | { readonly state: "unreachable" }
  | { readonly state: "nobody"; readonly isInvited: boolean; readonly problem: string | null }
  | { readonly state: "known"; readonly session: Session };

const RETRY_MS = 2000;
const PATIENCE_MS = 100; // so long the page waits for its chat

/** Return who uses the page, with the chat that is to be shown first. */
export async function begin(): Promise<Who> {
  const found = await askWho();
  if (found.state === "known") await opening();
  return found;
}

/** `first` is what `begin` returned. */
export function App({ first }: { readonly first: Who }): React.ReactNode {
  const [who, setWho] = useState(first);
  useEffect(drawnNext, []);
  const signedOut = useStore((state) => state.signedOut);
  const queries = useQueryClient();
  const done = useCallback((known: Session) => setWho({ state: "known", session: known }), []);
  useEffect(() => {
    if (who.state !== "unreachable") return undefined;
    const timer = setTimeout(() => void begin().then(setWho), RETRY_MS);
    return () => clearTimeout(timer);
  }, [who]);
  useEffect(() => {
    if (!signedOut) return;
    queries.clear();
    forgetTalks();
    setState({ signedOut: false });
    setWho({ state: "nobody", isInvited: false, problem: null });
  }, [signedOut, queries]);
  switch (who.state) {
    case "unreachable":
      return (
        <main className="sign-in">
          <h1>Headrace</h1>
          <p role="status">The server does not answer. This page keeps trying.</p>
        </main>
      );
    case "nobody":
      return <SignIn isInvited={who.isInvited} problem={who.problem} onDone={done} />;
    case "known":
      return <Page session={who.session} />;
  }
}

let asked: Promise<Who> | null = null;

/** Ask once for each link: a link is good for one time. */
function askWho(): Promise<Who> {
  if (link === null) return whoIs();
  asked ??= signIn({ link }).then(
    (known): Who => ({ state: "known", session: known }),
    async (error: unknown): Promise<Who> => {
      if (wantsName(error)) return { state: "nobody", isInvited: true, problem: null };
      const found = await whoIs();
      const problem = error instanceof Error ? error.message : String(error);
      return found.state === "nobody" ? { ...found, problem } : found;
    },
  );
  return asked;
}

async function whoIs(): Promise<Who> {
  try {
    const known = await session();
    return known === null ? { state: "nobody", isInvited: false, problem: null } : { state: "known", session: known };
  } catch {
    return { state: "unreachable" };
  }
}

function Page({ session: known }: { readonly session: Session }): React.ReactNode {
  const shown = useStore((state) => state.shown);
  const queries = useQueryClient();
  const [isMenuOpen, setMenuOpen] = useState(false);
  useEffect(() => {
    const renew = renewer(queries);
    onChanged((list) => void renew(list));
    const deaf = listen();
    const moved = (): void => void show(location.pathname);
    addEventListener("popstate", moved);
    if (!isOpened) moved();
    isOpened = false;
    return () => {
      deaf();
      removeEventListener("popstate", moved);
    };
  }, [queries]);
  useAddress(shown);
  return (
    <div className={isMenuOpen ? "page menu-open" : "page"}>
      <Sidebar session={known} isOpen={isMenuOpen} onClose={() => setMenuOpen(false)} />
      {shown !== "" && <Conversation key={shown} talkKey={shown} onMenu={() => setMenuOpen(true)} isMenuOpen={isMenuOpen} />}
      <Notice />
      <Spoken />
    </div>
  );
}

let isOpened = false;

/** Open what the address names before the page is drawn, so that both are drawn in one. */
async function opening(): Promise<void> {
  isOpened = true;
  await Promise.race([show(location.pathname), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
}

/** Show what an address names. */
async function show(path: string): Promise<void> {
  const id = /^\/chat\/(\d{1,15})$/.exec(path)?.[1];
  if (id === undefined) setState({ shown: newTalk() });
  else await open(Number(id));
}

/** Go to a chat; null is a new one. */
export function go(chatId: number | null): void {
  const path = chatId === null ? "/chat" : `/chat/${chatId}`;
  if (path !== location.pathname) history.pushState(null, "", path);
  void show(path);
}

/** A chat that was just made has an address from then on. */
function useAddress(shown: string): void {
  const id = useStore((state) => state.talks[shown]?.id ?? null);
  const title = useStore((state) => state.talks[shown]?.title ?? null);
  useEffect(() => {
    if (id !== null && location.pathname !== `/chat/${id}`) history.replaceState(null, "", `/chat/${id}`);
  }, [id]);
  useEffect(() => {
    document.title = title === null ? "Headrace" : `${title} – Headrace`;
  }, [title]);
}
