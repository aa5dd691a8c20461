/** A text that grows, in pieces of which only the last one changes: its end is read without copying the rest. */

export type Long = readonly string[];

export function lengthOf(text: Long): number {
  return text.reduce((sum, piece) => sum + piece.length, 0);
}

/** Return what follows the first `start` letters. */
export function since(text: Long, start: number): string {
  let found = "";
  let at = lengthOf(text);
  for (let index = text.length - 1; index >= 0 && at > start; index -= 1) {
    const piece = text[index] ?? "";
    at -= piece.length;
    found = piece.slice(Math.max(0, start - at)) + found;
  }
  return found;
}
