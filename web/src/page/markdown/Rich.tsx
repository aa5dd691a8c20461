/** Markdown that a model writes: safe, and cheap however long it grows. */

import { createContext, memo, useContext, useRef } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { type Block, Blocks } from "./blocks.ts";
import { Code } from "./Code.tsx";
import { linkTo, pictureIn } from "./links.ts";
import { dollars, useMath } from "./math.ts";
import { Formula } from "./Formula.tsx";

const CHUNK = 24; // blocks: React passes over a chunk that did not change as over one element

const Open = createContext(false);

/** `isLive`: more will come. */
export function Markdown({ text, isLive }: { readonly text: string; readonly isLive: boolean }): React.ReactNode {
  const blocks = useRef<Blocks | null>(null);
  blocks.current ??= new Blocks();
  const all = blocks.current.update(text, !isLive);
  const chunks: Block[][] = [];
  for (let at = 0; at < all.length; at += CHUNK) chunks.push(all.slice(at, at + CHUNK));
  return (
    <div className="prose">
      {chunks.map((chunk, index) => (
        <Chunk key={index} blocks={chunk} isLast={index === chunks.length - 1} />
      ))}
    </div>
  );
}

const Chunk = memo(
  function Chunk({ blocks, isLast }: { readonly blocks: readonly Block[]; readonly isLast: boolean }) {
    return (
      <div className={isLast ? "chunk" : "chunk settled"}>
        {blocks.map((block, index) =>
          block.kind === "code" ? (
            <Code key={index} code={block.text} language={block.language} isOpen={block.open} />
          ) : (
            <Text key={index} text={block.text} isOpen={block.open} />
          ),
        )}
      </div>
    );
  },
  (before, now) =>
    before.isLast === now.isLast &&
    before.blocks.length === now.blocks.length &&
    before.blocks.every((block, index) => block === now.blocks[index]),
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
  return isBlock ? <Code code={text.replace(/\n$/, "")} language={language} isOpen={isOpen} /> : <code>{children}</code>;
}
