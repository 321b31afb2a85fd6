// Waits for the contents of a page. The page's policy blocks `eval`, so the polling runs here.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE = 20_000;

/** Polls until the value fits. Fails with the last value if none fits in time. */
export async function eventually(what, ask, fits = (answer) => answer === true) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`${what}; last seen: ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

/** Waits until the text of an element matches. */
export function shows(page, selector, pattern) {
  return eventually(
    `${selector} shows ${pattern}`,
    () => page.locator(selector).innerText(),
    (text) => pattern.test(text),
  );
}

export function isLit(page, panel) {
  return page.locator(`${panel} .title .window`).evaluate((pane) => pane.hasAttribute("data-lit"));
}
