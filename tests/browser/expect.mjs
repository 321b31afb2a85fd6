// Waiting for what a page comes to show. A page's own `eval` is closed by its policy, so the asking is done from here.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE = 20_000;

/** Asks until the answer fits; after that, fails with the last answer. */
export async function eventually(what, ask, fits = (answer) => answer === true) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`${what}; last seen: ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

/** The text of an element comes to match. */
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
