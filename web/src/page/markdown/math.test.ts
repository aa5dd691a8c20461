import { expect, test } from "vitest";
import { dollars } from "./math.ts";

test.each([
  ["so \\(a^2\\) is", "so $$a^2$$ is"],
  ["so $a^2$ is", "so $$a^2$$ is"],
  ["\\[x\\]", "\n$$\nx\n$$\n"],
  ["$$x$$", "$$x$$"],
])("%s is a formula", (text, same) => {
  expect(dollars(text)).toBe(same);
});

test.each(["It costs $5 and $10.", "`$a$` in code", "US$ 5", "a $ b $ c", "\\$a\\$"])("%s is none", (text) => {
  expect(dollars(text)).toBe(text);
});

test("what takes long to search is left as it is", () => {
  const text = "\\[".repeat(50_000);
  const before = performance.now();
  expect(dollars(text)).toBe(text);
  expect(performance.now() - before).toBeLessThan(500);
});
