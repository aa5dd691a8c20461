/** The model of an answer, and its numbers. What is estimated has a mark until the server's count comes. */

import type { Node } from "../state/words.ts";

export function Figures({ node, context }: { readonly node: Node; readonly context: number | null }): React.ReactNode {
  const figures = node.live === null ? ended(node, context) : making(node);
  return (
    <div className="figures">
      {node.model !== null && <span className="badge">{node.model}</span>}
      {node.switched !== null && (
        <span className="switched">
          instead of {node.switched.from}: {node.switched.reason}
        </span>
      )}
      {figures.map((figure) => (
        <span key={figure.what} className="figure" title={figure.what}>
          {figure.text}
        </span>
      ))}
    </div>
  );
}

interface Figure {
  readonly what: string;
  readonly text: string;
}

function making({ live }: Node): Figure[] {
  if (live === null || live.pieces === 0) return [];
  return present([
    first(live.firstMs ?? undefined),
    live.perSecond === null ? null : { what: "Tokens per second, estimated", text: `~${rounded(live.perSecond)} tok/s` },
    { what: "Tokens written, estimated", text: `~${count(live.pieces)} out` },
    live.maxTokens === null
      ? null
      : {
          what: "Of the most that this answer may have, estimated",
          text: `~${Math.min(100, Math.floor((live.pieces / live.maxTokens) * 100))} % of ${count(live.maxTokens)}`,
        },
  ]);
}

function ended({ usage, timings }: Node, context: number | null): Figure[] {
  const mark = usage?.estimated ? "~" : "";
  const read = usage?.input_tokens ?? null;
  const written = usage?.output_tokens ?? null;
  const speed = timings?.tokens_per_second;
  const used = context !== null && read !== null ? (read + (written ?? 0)) / context : null;
  return present([
    first(timings?.first_token_ms),
    speed === undefined ? null : { what: "Tokens per second", text: `${mark}${rounded(speed)} tok/s` },
    read === null ? null : { what: "Tokens read", text: `${mark}${count(read)} in` },
    written === null ? null : { what: "Tokens written", text: `${mark}${count(written)} out` },
    used === null || context === null
      ? null
      : { what: `Of the context of ${count(context)} tokens`, text: `${mark}${Math.ceil(used * 100)} % of context` },
  ]);
}

function first(ms: number | undefined): Figure | null {
  if (ms === undefined) return null;
  const text = ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
  return { what: "Time to the first token", text: `first after ${text}` };
}

function present(figures: readonly (Figure | null)[]): Figure[] {
  return figures.filter((figure) => figure !== null);
}

function rounded(value: number): string {
  return value < 10 ? value.toFixed(1) : count(Math.round(value));
}

function count(value: number): string {
  return value.toLocaleString("en-GB").replaceAll(",", "\u202f");
}
