/** A block of code: plain while it grows, coloured once it is whole. */

import { memo, useEffect, useState } from "react";
import { CopyButton } from "../view/CopyButton.tsx";
import { Diagram } from "./Diagram.tsx";
import { lengthOf } from "./long.ts";

const MOST_COLOURED = 60_000; // letters; more takes the browser longer than a reader waits
const PILE = 40; // pieces: React passes over a pile that did not change as over one element

interface Props {
  readonly pieces: readonly string[];
  readonly language: string;
  readonly isOpen: boolean;
}

export const Code = memo(function Code({ pieces, language, isOpen }: Props) {
  const [isDrawn, setDrawn] = useState(false);
  const canDraw = language === "mermaid" && !isOpen;
  const isColoured = !isOpen && language !== "" && lengthOf(pieces) <= MOST_COLOURED;
  return (
    <figure className="code">
      <figcaption>
        <span>{language || "text"}</span>
        {canDraw && (
          <button type="button" className="quiet" onClick={() => setDrawn(!isDrawn)}>
            {isDrawn ? "Show text" : "Show diagram"}
          </button>
        )}
        <CopyButton text={() => pieces.join("")} what="code" />
      </figcaption>
      {canDraw && isDrawn ? (
        <Diagram code={pieces.join("")} />
      ) : (
        <pre tabIndex={0} aria-label={language ? `Code, ${language}` : "Code"}>
          <code>{isColoured ? <Coloured pieces={pieces} language={language} /> : <Plain pieces={pieces} />}</code>
        </pre>
      )}
    </figure>
  );
}, isSame);

function isSame(old: Partial<Props>, now: Partial<Props>): boolean {
  if (old.language !== now.language || old.isOpen !== now.isOpen || old.pieces?.length !== now.pieces?.length) return false;
  return old.pieces?.every((piece, index) => piece === now.pieces?.[index]) ?? true;
}

function Plain({ pieces }: Pick<Props, "pieces">): React.ReactNode {
  const piles: (readonly string[])[] = [];
  for (let at = 0; at < pieces.length; at += PILE) piles.push(pieces.slice(at, at + PILE));
  return piles.map((pile, index) => <Pile key={index} pieces={pile} />);
}

const Pile = memo(function Pile({ pieces }: Pick<Props, "pieces">) {
  return (
    <span className="piece">
      {pieces.map((piece, index) => (
        <Piece key={index} text={piece} />
      ))}
    </span>
  );
}, isSame);

const Piece = memo(({ text }: { readonly text: string }) => <span className="piece">{text}</span>);
Piece.displayName = "Piece";

function Coloured({ pieces, language }: Omit<Props, "isOpen">): React.ReactNode {
  const code = pieces.join("");
  const [coloured, setColoured] = useState<React.ReactNode>(null);
  useEffect(() => {
    let isHere = true;
    void import("./colours.tsx").then(({ colour }) => {
      if (isHere) setColoured(colour(code, language));
    });
    return () => {
      isHere = false;
    };
  }, [code, language]);
  return coloured ?? <Plain pieces={pieces} />;
}
