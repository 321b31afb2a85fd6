// The README's screenshots of the demo: `node screenshots.mjs http://127.0.0.1:PORT FOLDER`.
// `cargo xtask screenshots` runs this.

import { join } from "node:path";
import { isConnected, say } from "./chat.mjs";
import { eventually, shows } from "./expect.mjs";
import { Windows } from "./windows.mjs";

const TALK = [
  ["Margery", "Is the bell at six again tomorrow?"],
  ["Julian", "At six, and once more at nine."],
  ["Julian", "I moved the second one after the storm took the rope. You can hear it from the east window if the wind is right."],
  ["Margery", "Then I leave the shutter open."],
  ["Margery", "The host went down while you were writing, by the way. Did you lose anything?"],
  ["Julian", "Nothing. It came back, asked what I had seen last, and sent the rest. <b>Even this</b> is only text."],
  ["Julian", "And nothing stands here twice."],
  ["Margery", "Take the lock next, I am done with it in a moment."],
];

const [base, folder] = process.argv.slice(2);
const windows = await Windows.launch(base);

for (const [colorScheme, file] of [["light", "demo.png"], ["dark", "demo-dark.png"]]) {
  const options = { room: "refectory", colorScheme, locale: "en-GB", deviceScaleFactor: 1.25 };
  const julian = await windows.open({ user: "Julian", ...options });
  const margery = await windows.open({ user: "Margery", ...options });
  const pages = { Julian: julian, Margery: margery };
  for (const page of Object.values(pages)) await isConnected(page);
  if (colorScheme === "light") for (const [user, text] of TALK) await posted(pages[user], text);

  await julian.click("#counter [data-by='10']");
  await margery.click("#lock [data-action=take]");
  await shows(julian, "#lock [data-field=state]", /Margery/);
  await julian.click("#lock [data-action=take]");
  await julian.click("#limiter [data-requests='1']");
  await julian.waitForTimeout(1_200);
  await julian.click("#limiter [data-requests='1']");
  await julian.waitForTimeout(700);
  for (let request = 0; request < 3; request += 1) {
    await julian.click("#limiter [data-requests='1']");
    await julian.waitForTimeout(250);
  }
  await margery.locator("#message").pressSequentially("And");
  await shows(julian, "#chat-status", /typing/);
  await shows(julian, "#lock [data-field=queue]", /Julian/);
  await julian.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
  await julian.mouse.move(0, 0);
  await julian.waitForTimeout(400);
  await julian.screenshot({ path: join(folder, file) });
  console.log(join(folder, file));
  await margery.click("#lock [data-action=release]");
  await shows(julian, "#lock [data-field=state]", /in this window/);
  await julian.click("#lock [data-action=release]");
  await julian.click("#limiter [data-action=reset]");
  await windows.closeAll();
}
await windows.close();

async function posted(page, text) {
  await say(page, text);
  await eventually("it is stored", () => page.locator("#pending .message").count(), (count) => count === 0);
}
