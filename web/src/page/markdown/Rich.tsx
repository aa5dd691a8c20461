/** Reads Markdown that a model writes: safe, and cheap however long it grows. */

import { createContext, memo, useContext, useEffect, useRef, useState } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { type Block, Blocks } from "./blocks.ts";
import { Code } from "./Code.tsx";
import { linkTo, pictureIn } from "./links.ts";
import { type Long, lengthOf } from "./long.ts";
import { dollars, useMath } from "./math.ts";
import { Formula } from "./Formula.tsx";
import { piecesOf } from "./pieces.ts";

const CHUNK = 24; // blocks: React passes over a chunk that did not change as over one element
const AT_ONCE = 3000; // letters: what can be read within a frame

const Open = createContext(false);

/**
 * `isLive`: more will come. Of a long text the end is read at once, where the reader is, and the rest piece by piece in
 * the frames that follow; until then it stands there as it was written.
 */
export function Rich({ text, isLive }: { readonly text: Long; readonly isLive: boolean }): React.ReactNode {
  const reader = useRef<Blocks | null>(null);
  reader.current ??= new Blocks();
  const blocks = reader.current.update(text, !isLive);
  const raw = useRaw(blocks);
  const chunks: Block[][] = [];
  for (let at = 0; at < blocks.length; at += CHUNK) chunks.push(blocks.slice(at, at + CHUNK));
  return chunks.map((chunk, index) => (
    <Chunk key={index} blocks={chunk} raw={Math.min(CHUNK, Math.max(0, raw - index * CHUNK))} isLast={index === chunks.length - 1} />
  ));
}

/** Return how many of the first blocks are not read yet. */
function useRaw(blocks: readonly Block[]): number {
  const [raw, setRaw] = useState(() => before(blocks, blocks.length));
  const newest = useRef(blocks);
  useEffect(() => {
    newest.current = blocks;
  });
  useEffect(() => {
    if (raw === 0) return;
    const frame = requestAnimationFrame(() => setRaw(before(newest.current, raw)));
    return () => cancelAnimationFrame(frame);
  }, [raw]);
  return raw;
}

/** Return where those blocks begin that end at `end` and are as much as is read at once. */
function before(blocks: readonly Block[], end: number): number {
  let at = Math.min(end, blocks.length);
  for (let letters = 0; at > 0 && letters < AT_ONCE; at -= 1) letters += lettersIn(blocks[at - 1]);
  return at;
}

function lettersIn(block: Block | undefined): number {
  return block?.kind === "text" ? block.text.length : lengthOf(block?.pieces ?? []);
}

interface ChunkProps {
  readonly blocks: readonly Block[];
  readonly raw: number;
  readonly isLast: boolean;
}

const Chunk = memo(
  function Chunk({ blocks, raw, isLast }: ChunkProps) {
    return (
      <div className={isLast ? "chunk" : "chunk settled"}>
        {blocks.map((block, index) =>
          block.kind === "code" ? (
            <Code key={index} pieces={block.pieces} language={block.language} isOpen={block.open} />
          ) : index < raw ? (
            <p key={index} className="raw">
              {block.text.trimEnd()}
            </p>
          ) : (
            <Text key={index} text={block.text} isOpen={block.open} />
          ),
        )}
      </div>
    );
  },
  (old, now) =>
    old.isLast === now.isLast &&
    old.raw === now.raw &&
    old.blocks.length === now.blocks.length &&
    old.blocks.every((block, index) => block === now.blocks[index]),
);

const Text = memo(function Text({ text, isOpen }: { readonly text: string; readonly isOpen: boolean }) {
  const math = useMath(text);
  return (
    <Open value={isOpen}>
      <ReactMarkdown
        remarkPlugins={math === null ? PLAIN : math.plugins}
        components={COMPONENTS}
        urlTransform={(address, name) => (name === "src" ? pictureIn(address) : linkTo(address))}
      >
        {math === null ? text : dollars(text)}
      </ReactMarkdown>
    </Open>
  );
});

const PLAIN = [remarkGfm];

const COMPONENTS: Components = {
  a: ({ href, children }) =>
    href ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  img: ({ src, alt }) =>
    typeof src === "string" && src !== "" ? (
      <img src={src} alt={alt ?? ""} />
    ) : (
      <span className="withheld">Picture not loaded{alt ? `: ${alt}` : ""}</span>
    ),
  table: ({ children }) => (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  pre: ({ children }) => <>{children}</>,
  code: CodeOrFormula,
  input: ({ checked }) => <input type="checkbox" checked={checked ?? false} disabled aria-label={checked ? "Done" : "To do"} />,
};

function CodeOrFormula({ className, children, node }: React.ComponentProps<NonNullable<Components["code"] & object>>): React.ReactNode {
  const isOpen = useContext(Open);
  const text = typeof children === "string" ? children : Array.isArray(children) ? children.join("") : "";
  const language = /language-([^\s]+)/.exec(className ?? "")?.[1] ?? "";
  if (language === "math") return <Formula tex={text} isBlock={(className ?? "").includes("math-display")} isOpen={isOpen} />;
  const isBlock = language !== "" || text.endsWith("\n") || node?.position?.start.line !== node?.position?.end.line;
  if (!isBlock) return <code>{children}</code>;
  return <Code pieces={piecesOf(text.replace(/\n$/, ""))} language={language} isOpen={isOpen} />;
}
