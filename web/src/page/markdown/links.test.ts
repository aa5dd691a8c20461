import { expect, test } from "vitest";
import { linkTo, pictureIn } from "./links.ts";

test.each(["https://example.org/a?b=c", "http://example.org/", "mailto:a@example.org"])("%s may be a link", (address) => {
  expect(linkTo(address)).toBe(address);
});

test.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "java\nscript:alert(1)",
  " javascript:alert(1)",
  "vbscript:x",
  "data:text/html,<script>1</script>",
  "blob:http://a/b",
  "file:///etc/passwd",
  "/api/v1/session",
  "//example.org/",
  "#here",
  "",
  undefined,
])("%s is no link", (address) => {
  expect(linkTo(address)).toBeNull();
});

test("a picture in the text itself is shown", () => {
  expect(pictureIn("data:image/png;base64,iVBORw0KGgo=")).toBe("data:image/png;base64,iVBORw0KGgo=");
});

test.each(["https://example.org/a.png", "data:image/svg+xml;base64,PHN2Zy8+", "data:image/png,x", "/page/icon.svg", undefined])(
  "%s is not shown",
  (address) => {
    expect(pictureIn(address)).toBeNull();
  },
);
