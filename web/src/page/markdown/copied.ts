/** Return the same text in memory of its own: a piece of a string keeps all of that string. */
export function copied(text: string): string {
  return ` ${text}`.slice(1);
}
