// What every driver of a JavaScript package does the same: scenes played one by one, told as JSON.

import assert from "node:assert/strict";

export const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const IMAGE = `data:image/png;base64,${PIXEL}`;
export const TEXT = "0 1 2 3 4 ";
export const JSON_TEXT = '{"x": 1}';
export const SCHEMA = { type: "object", properties: { x: { type: "integer" } }, required: ["x"] };
export const url = process.argv[2];

/** Return once the latest run of this model was stopped, as its caller has left. */
export async function stopped(model) {
  let latest;
  for (let i = 0; i < 100; i++) {
    const { runs } = await (await fetch(`${url}/api/v1/runs?limit=20`)).json();
    latest = runs.find((run) => run.model_requested === model);
    if (latest.status === "stopped") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`${model} goes on: ${JSON.stringify(latest)}`);
}

/** Play the scenes and write what came of each to standard output: `ok`, or what went wrong. */
export async function play(scenes) {
  const outcome = {};
  for (const [name, scene] of Object.entries(scenes)) {
    try {
      await scene();
      outcome[name] = "ok";
    } catch (error) {
      outcome[name] = String(error?.stack ?? error);
    }
  }
  process.stdout.write(JSON.stringify(outcome), () => process.exit(0));
}
