// The other objects: changes in one window appear in the other.

import assert from "node:assert/strict";
import { eventually, isLit, shows } from "./expect.mjs";

const room = "panels";

export const tests = [
  countersAgree,
  limiterFillsAndDrains,
  windowsCompeteForTheLock,
  taskRuns,
  bellsRingElsewhere,
];

async function countersAgree({ windows, host }) {
  const ann = await windows.open({ room, user: "Ann" });
  const ben = await windows.open({ room, user: "Ben" });
  await shows(ann, "#counter [data-field=value]", /^0$/);
  await ann.click("#counter [data-by='10']");
  await ann.click("#counter [data-by='1']");
  await ben.click("#counter [data-by='-1']");
  for (const page of [ann, ben]) await shows(page, "#counter [data-field=value]", /^10$/);
  assert.equal(await host.get("/counters/visits"), 10);

  await ann.click("#counter [data-action=scratch]");
  const id = await eventually(
    "the id of a new counter",
    () => ann.locator("#counter [name=object]").inputValue(),
    (name) => /^[0-9a-f]{64}$/.test(name),
  );
  await shows(ann, "#counter [data-field=value]", /^0$/);
  await ann.click("#counter [data-by='1']");
  // A client that knows the id can use the counter.
  await ben.fill("#counter [name=object]", id);
  await ben.press("#counter [name=object]", "Enter");
  for (const page of [ann, ben]) await shows(page, "#counter [data-field=value]", /^1$/);
}

async function limiterFillsAndDrains({ windows }) {
  const ann = await windows.open({ room, user: "Ann" });
  const ben = await windows.open({ room, user: "Ben" });
  const cells = (page) => page.locator("#limiter .cells [data-lit]").count();
  for (const page of [ann, ben]) {
    await page.fill("#limiter [name=limit]", "6");
    await page.fill("#limiter [name=seconds]", "3");
  }
  await ann.click("#limiter [data-requests='10']");
  for (const page of [ann, ben]) await eventually("the window is full", () => cells(page), (lit) => lit === 6);
  await shows(ann, "#limiter [data-field=reading]", /^6 of 6 used, the next one in \d/);
  assert.equal(await ann.locator("#limiter .mark.allowed").count(), 6);
  assert.equal(await ann.locator("#limiter .mark.refused").count(), 4);
  assert.equal(await ann.locator("#limiter [role=meter]").getAttribute("aria-valuenow"), "6");
  for (const page of [ann, ben]) await eventually("it drains", () => cells(page), (lit) => lit === 0);
  assert.equal(await isLit(ann, "#limiter"), false);

  for (const algorithm of ["fixed_window", "sliding_window", "token_bucket"]) {
    await ann.selectOption("#limiter [name=algorithm]", algorithm);
    await ann.click("#limiter [data-requests='10']");
    await eventually(`${algorithm} fills`, () => cells(ann), (lit) => lit >= 4);
    assert.ok((await ann.locator("#limiter .mark.refused").count()) >= 4, `${algorithm} refuses`);
    await ann.click("#limiter [data-action=reset]");
    await eventually(`${algorithm} is reset`, () => cells(ann), (lit) => lit === 0);
  }
}

async function windowsCompeteForTheLock({ windows }) {
  const ann = await windows.open({ room, user: "Ann" });
  const ben = await windows.open({ room, user: "Ben" });
  for (const page of [ann, ben]) {
    await page.fill("#lock [name=object]", "contested");
    await page.press("#lock [name=object]", "Enter");
    await shows(page, "#lock [data-field=state]", /^Free$/);
  }
  const token = async (page) => Number(await page.locator("#lock [data-field=token]").innerText());
  await ann.click("#lock [data-action=take]");
  await shows(ben, "#lock [data-field=state]", /^Held by Ann$/);
  await shows(ann, "#lock [data-field=state]", /^Held by Ann, in this window$/);
  const first = await token(ann);
  await ben.click("#lock [data-action=take]");
  await shows(ann, "#lock [data-field=queue]", /^Next:\s*Ben$/);
  await ann.click("#lock [data-action=renew]");
  await shows(ann, "#announcements", /Renewed/);
  assert.equal(await token(ann), first, "a renewal keeps the token");
  await ann.click("#lock [data-action=release]");
  await shows(ben, "#lock [data-field=state]", /^Held by Ben, in this window$/);
  const second = await token(ben);
  assert.ok(second > first, `the token grows: ${first}, then ${second}`);
  for (const page of [ann, ben]) {
    assert.doesNotMatch(await page.locator("body").innerText(), /[0-9a-f]{32}/, "no lease's secret is on the page");
  }

  await ann.click("#lock [data-action=take]");
  await shows(ben, "#lock [data-field=queue]", /^Next:\s*Ann$/);
  await ann.click("#lock [data-action=cancel]");
  await shows(ben, "#lock [data-field=queue]", /^$/);
  await ben.click("#lock [data-action=release]");
  await shows(ben, "#lock [data-field=state]", /^Free$/);

  for (const page of [ann, ben]) await page.check("#lock [name=compete]");
  await eventually(
    "both get it in turn",
    () => ann.locator("#lock .tenures li").allInnerTexts(),
    (tenures) => ["Ann", "Ben", "Ann"].every((name, back) => tenures[back]?.endsWith(name)),
  );
  const tokens = (await ann.locator("#lock .tenures b").allInnerTexts()).map(Number);
  assert.deepEqual(tokens, [...new Set(tokens)].sort((a, b) => b - a), "tokens grow");
  for (const page of [ann, ben]) await page.uncheck("#lock [name=compete]");
}

async function taskRuns({ windows, host }) {
  const ann = await windows.open({ room, user: "Ann" });
  const runs = async () => Number(await ann.locator("#task [data-field=runs]").innerText());
  await shows(ann, "#task [data-field=reading]", /not run yet/);
  await ann.fill("#task [name=every]", "0.3");
  await ann.click("#task [data-action=start]");
  await eventually("it runs", runs, (count) => count >= 3);
  assert.equal(await isLit(ann, "#task"), true);
  assert.ok((await ann.locator("#task .mark.run").count()) >= 2);
  await shows(ann, "#task [data-field=reading]", /next in \d/);
  await ann.click("#task [data-action=stop]");
  await shows(ann, "#task [data-field=reading]", /It is stopped/);
  assert.equal((await host.get("/tasks/hours")).running, false);
  await ann.fill("#task [name=cron]", "not cron");
  await ann.click("#task [data-action=start]");
  await shows(ann, "#task .note", /./);
  assert.equal(await isLit(ann, "#task"), false);
}

async function bellsRingElsewhere({ windows }) {
  const ann = await windows.open({ room, user: "Ann" });
  const ben = await windows.open({ room, user: "Ben" });
  for (const page of [ann, ben]) await eventually("the hub is open", () => isLit(page, "#bells"));
  const rings = (page, topic) => page.locator(`#bells .ringing[data-topic=${topic}]`).count();
  await ann.click("#bells [data-topic=vespers] button");
  await eventually("it rings in both windows", async () => [await rings(ann, "vespers"), await rings(ben, "vespers")], ([a, b]) => a + b === 2);
  await shows(ann, "#announcements", /Heard in 2 windows/);
  await ben.uncheck("#bells [data-topic=matins] input");
  await eventually("Ben hears it no more", async () => {
    await ann.click("#bells [data-topic=matins] button");
    return ann.locator("#announcements").innerText();
  }, (text) => text === "Heard in one window.");
  assert.equal(await rings(ben, "matins"), 0);
}
