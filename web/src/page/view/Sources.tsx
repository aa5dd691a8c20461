/** What an answer rests on, and corrections of what the user wrote. */

import { linkTo } from "../markdown/links.ts";

type Fields = Readonly<Record<string, unknown>>;

export function Sources({ sources }: { readonly sources: readonly Fields[] }): React.ReactNode {
  if (sources.length === 0) return null;
  return (
    <ol className="sources" aria-label="Sources">
      {sources.map((source, index) => {
        const href = linkTo(text(source["url"]));
        const name = text(source["title"]) || text(source["name"]) || text(source["url"]) || `Source ${index + 1}`;
        return (
          <li key={index}>
            {href === null ? (
              name
            ) : (
              <a href={href} target="_blank" rel="noopener noreferrer nofollow">
                {name}
              </a>
            )}
          </li>
        );
      })}
    </ol>
  );
}

export function Corrections({ corrections }: { readonly corrections: readonly Fields[] }): React.ReactNode {
  if (corrections.length === 0) return null;
  return (
    <ul className="corrections" aria-label="Corrections">
      {corrections.map((each, index) => (
        <li key={index}>
          <del>{text(each["original"])}</del> <ins>{text(each["corrected"])}</ins>
          {text(each["explanation"]) !== "" && <span> {text(each["explanation"])}</span>}
        </li>
      ))}
    </ul>
  );
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
