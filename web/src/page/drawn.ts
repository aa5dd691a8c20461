/** That the page has drawn what it was opened for: what that does not need waits, or it would take the processor from it. */

let tell = (): void => undefined;

/** Resolves once the page has been drawn for the first time. */
export const drawn = new Promise<void>((resolve) => {
  tell = resolve;
});

/** Say that what the page was opened for stands there, and is drawn with the next frame. */
export function drawnNext(): void {
  if (document.visibilityState === "hidden") tell(); // it has no frames
  else requestAnimationFrame(() => setTimeout(tell));
}
