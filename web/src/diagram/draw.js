// Draws one diagram in a frame without an origin, and hands the picture up as text: the page shows it as an image.

let drawn = 0;

addEventListener("message", async ({ data, source }) => {
  if (source !== parent || typeof data?.code !== "string") return;
  try {
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: "strict",
      // what the text of a diagram may not set for itself
      secure: ["secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "themeCSS", "fontFamily", "altFontFamily", "htmlLabels"],
      theme: data.dark ? "dark" : "neutral",
      htmlLabels: false,
      flowchart: { htmlLabels: false },
      fontFamily: "system-ui, sans-serif",
    });
    drawn += 1;
    const { svg } = await mermaid.render(`diagram-${drawn}`, data.code);
    parent.postMessage({ diagram: data.id, svg }, "*");
  } catch (error) {
    parent.postMessage({ diagram: data.id, problem: String(error?.message ?? error).slice(0, 300) }, "*");
  }
});
parent.postMessage({ diagram: "ready" }, "*");
