/** Markdown that a model writes: as it is written, until what reads Markdown has been fetched. */

import { useEffect } from "react";
import { drawn } from "../drawn.ts";
import { Fetched } from "./fetched.ts";
import type { Long } from "./long.ts";

interface Props {
  readonly text: Long;
  /** Whether more will come. */
  readonly isLive: boolean;
}

const reader = new Fetched(async () => (await import("./Rich.tsx")).Rich);

/** Have it read as soon as it comes. */
export const fetchMarkdown = reader.want;

export function Markdown({ text, isLive }: Props): React.ReactNode {
  const Rich = reader.use();
  useEffect(() => void drawn.then(reader.want), []); // it is the text that one waits for
  return <div className="prose">{Rich === null ? <p className="raw">{text}</p> : <Rich text={text} isLive={isLive} />}</div>;
}
