// The room: two people, one conversation.

import assert from "node:assert/strict";
import { eventually, shows } from "./expect.mjs";

const LONG = 130;

export const tests = [
  twoWindowsTalk,
  markupIsText,
  historyComesOnScroll,
  gapIsFilled,
  killedHostLosesNothing,
  whoLeavesHasSaidIt,
  refusalsAreTold,
  namesCanBeChanged,
];

/** Returns the texts in a window, in their order. Messages that are not stored yet come last. */
export function texts(page) {
  return page.locator(".message .text").allInnerTexts();
}

export async function say(page, text) {
  await page.fill("#message", text);
  await page.press("#message", "Enter");
}

export async function isConnected(page) {
  await eventually("the room is open", () => page.locator("#chat").getAttribute("data-state"), (state) => state === "open");
}

async function bothRead(pages, expected) {
  for (const page of pages) {
    await eventually(
      `${expected.length} messages, each once and in order`,
      () => texts(page),
      (seen) => JSON.stringify(seen) === JSON.stringify(expected),
    );
  }
}

async function twoWindowsTalk({ windows }) {
  const room = "talk";
  const ann = await windows.open({ room, user: "Ann" });
  await isConnected(ann);
  const ben = await windows.open({ room, user: "Ben" });
  await isConnected(ben);
  for (const page of [ann, ben]) {
    await eventually("both are here", () => page.locator("#members .person").allInnerTexts(), (names) => `${names}` === "Ann,Ben");
  }
  await shows(ann, "#chat-status", /Ben has joined/);

  await say(ann, "Is anybody in?");
  await bothRead([ann, ben], ["Is anybody in?"]);
  await ben.locator("#message").pressSequentially("I a");
  await shows(ann, "#chat-status", /Ben is typing/);
  await ben.locator("#message").fill("I am.\nStill.");
  await ben.click("#composer button");
  await bothRead([ann, ben], ["Is anybody in?", "I am.\nStill."]);
  assert.equal(await ben.locator("#message").inputValue(), "");
  await eventually("typing is over", () => ann.locator("#chat-status").innerText(), (text) => !text.includes("typing"));

  await ben.close();
  await eventually("Ben has left", () => ann.locator("#members .person").allInnerTexts(), (names) => `${names}` === "Ann");
}

async function markupIsText({ windows }) {
  const room = "markup";
  const hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script><b>&amp;</b>';
  const user = "<i>Eve</i>";
  const eve = await windows.open({ room, user });
  const ann = await windows.open({ room, user: "Ann" });
  await isConnected(ann);
  await isConnected(eve);
  await say(eve, hostile);
  await bothRead([eve, ann], [hostile]);
  await eve.click("#lock [data-action=take]");
  await shows(ann, "#lock [data-field=state]", /Held by <i>Eve<\/i>/);
  await shows(ann, "#members", /<i>Eve<\/i>/);
  for (const page of [eve, ann]) {
    assert.equal(await page.locator("main :is(img, script, b:not(.tenures b), i)").count(), 0);
    assert.match(await page.title(), /^markup · anchorhold$/);
  }
  await eve.click("#lock [data-action=release]");
}

async function historyComesOnScroll({ windows, host }) {
  const room = "long";
  const expected = Array.from({ length: LONG }, (_, index) => `message ${index + 1}`);
  // Posted by several people, because one alone would be asked to slow down.
  for (const [index, text] of expected.entries()) {
    await host.post(`/rooms/${room}/messages`, { user: `guest ${index % 13}`, text });
  }
  const ann = await windows.open({ room, user: "Ann" });
  await eventually("the end of the history", () => texts(ann), (seen) => seen.at(-1) === expected.at(-1));
  assert.ok((await texts(ann)).length < LONG, "not all of it at once");
  const distance = () => ann.locator("#scroller").evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  assert.ok((await distance()) < 2, "the newest message is in view");
  for (let seen = 0; seen < LONG; ) {
    // The first one may be redrawn, because it depends on the message before it.
    const read = await ann.locator(".message").nth(1).elementHandle();
    const top = () => read.evaluate((item) => item.getBoundingClientRect().top);
    await ann.locator("#scroller").evaluate((box) => (box.scrollTop = 0));
    const before = await top();
    seen = await eventually("older messages", async () => (await texts(ann)).length, (count) => count > seen);
    const moved = Math.abs((await top()) - before);
    assert.ok(moved < 60, `what was read stays where it was, and moved by ${moved} pixels`);
  }
  assert.deepEqual(await texts(ann), expected);
  await host.post(`/rooms/${room}/messages`, { user: "guest 1", text: "meanwhile" });
  await shows(ann, "#newer", /1 new message/);
  await ann.click("#newer");
  assert.ok((await distance()) < 2, "the newest message is in view again");
}

/** A window that missed more than one page of history receives all of it. */
async function gapIsFilled({ windows, host }) {
  const room = "gap";
  const line = new Line();
  const ann = await windows.open({ room, user: "Ann", before: (page) => line.tap(page) });
  await host.post(`/rooms/${room}/messages`, { user: "Ben", text: "before" });
  await eventually("it is read", () => texts(ann), (seen) => seen.length === 1);
  line.cut();
  await shows(ann, "#chat-status", /connection is lost/);
  await say(ann, "from the dark");
  await shows(ann, "#chat-status", /sent as soon as/);
  const missed = Array.from({ length: LONG }, (_, index) => `missed ${index + 1}`);
  for (const [index, text] of missed.entries()) {
    await host.post(`/rooms/${room}/messages`, { user: `guest ${index % 13}`, text });
  }
  line.mend();
  await bothRead([ann], ["before", ...missed, "from the dark"]);
  assert.match(line.address, /[?&]since=1$/, "the room is told what was seen");
  // The page shows a message before the room has it.
  await eventually("all is stored", async () => (await host.history(room)).length, (count) => count === LONG + 2);
}

/** The host is killed while both talk. They only notice a pause. */
async function killedHostLosesNothing({ windows, host }) {
  const room = "killed";
  const ann = await windows.open({ room, user: "Ann" });
  const ben = await windows.open({ room, user: "Ben" });
  await isConnected(ann);
  await isConnected(ben);
  for (let number = 1; number <= 3; number += 1) await say(ann, `before ${number}`);
  // In flight when the host is killed: this test cannot know whether it was stored.
  await say(ben, "in between");
  await host.kill();
  await shows(ann, "#chat-status", /connection is lost/);
  await say(ann, "into the dark");
  await say(ben, "is it just me?");
  assert.equal(await ann.locator("#pending .message").count() >= 1, true, "it is shown as not yet stored");
  await host.restart();
  for (const page of [ann, ben]) await isConnected(page);
  await say(ben, "after");
  const expected = ["after", "before 1", "before 2", "before 3", "in between", "into the dark", "is it just me?"];
  const stored = await eventually(
    "all of it is stored, once",
    async () => (await host.history(room)).map(({ text }) => text),
    (seen) => JSON.stringify([...seen].sort()) === JSON.stringify(expected),
  );
  await bothRead([ann, ben], stored);
  for (const page of [ann, ben]) {
    assert.equal(await page.locator("#pending .message").count(), 0);
    await eventually("both are here", () => page.locator("#members .person").allInnerTexts(), (names) => `${names}` === "Ann,Ben");
  }
}

/** A message written offline is stored, even if its writer has moved on to another room. */
async function whoLeavesHasSaidIt({ windows, host }) {
  const line = new Line();
  const ann = await windows.open({ room: "left", user: "Ann", before: (page) => line.tap(page) });
  await isConnected(ann);
  line.cut();
  await shows(ann, "#chat-status", /connection is lost/);
  await say(ann, "I am off");
  await ann.fill("#room", "elsewhere");
  await ann.press("#room", "Enter");
  line.mend();
  await isConnected(ann);
  await eventually("it is stored", async () => (await host.history("left")).length, (count) => count === 1);
  await eventually("Ann is in one room", () => host.get("/rooms/left/members"), (members) => members.length === 0);
  await bothRead([ann], []);
}

/**
 * A stricter room than the demo's asks users to slow down, refuses messages, and removes users.
 * Here code between the window and the host does so.
 */
async function refusalsAreTold({ windows }) {
  const answers = [
    { type: "error", code: "limited", message: "Slower, please.", retry_after_ms: 300 },
    { type: "error", code: "read_only", message: "You may only read." },
  ];
  let connections = 0;
  let between;
  const ann = await windows.open({
    room: "strict",
    user: "Ann",
    before: (page) =>
      page.routeWebSocket(/\/rooms\//, (socket) => {
        connections += 1;
        between = socket;
        const server = socket.connectToServer();
        socket.onMessage((text) => {
          const isPost = text.startsWith('{"type":"post"');
          if (!isPost || answers.length === 0) return server.send(text);
          socket.send(JSON.stringify({ ...answers.shift(), client_id: JSON.parse(text).client_id }));
        });
      }),
  });
  await isConnected(ann);
  const refused = answers.pop();
  await say(ann, "too fast");
  await shows(ann, "#chat-status", /Slower, please/);
  await eventually("it is sent again, and stored", () => ann.locator("#messages .message").count(), (count) => count === 1);
  answers.push(refused);
  await say(ann, "too bold");
  await shows(ann, "#chat-status", /You may only read/);
  await eventually("it is back in the box", () => ann.locator("#message").inputValue(), (text) => text === "too bold");
  await bothRead([ann], ["too fast"]);
  await between.close({ code: 4_003, reason: "be kind" });
  await shows(ann, "#chat-status", /removed from this room: be kind/);
  await ann.waitForTimeout(1_500);
  assert.equal(connections, 1, "whoever is sent out stays out");
}

/** A different name is a different person in the room. A different room is another conversation. */
async function namesCanBeChanged({ windows }) {
  const ann = await windows.open({ room: "one", user: "Ann" });
  await isConnected(ann);
  await say(ann, "here");
  await bothRead([ann], ["here"]);
  await ann.fill("#user", "Anna");
  await ann.press("#user", "Enter");
  await eventually("the new name", () => ann.locator("#members .person").allInnerTexts(), (names) => `${names}` === "Anna");
  await bothRead([ann], ["here"]);
  await ann.fill("#room", "another one");
  await ann.press("#room", "Enter");
  await shows(ann, "#empty", /Nobody has said anything/);
  await bothRead([ann], []);
  assert.match(ann.url(), /room=another\+one$/);
  await ann.reload();
  await isConnected(ann);
  assert.equal(await ann.locator("#user").inputValue(), "Anna", "the window keeps its name");
}

/** A window's connection to the host, which can be cut without the host. */
class Line {
  #sockets = new Set();
  #isCut = false;
  /** Where the window connected last. */
  address = "";

  async tap(page) {
    await page.routeWebSocket(/\/rooms\//, (socket) => {
      if (this.#isCut) return socket.close();
      this.address = socket.url();
      const server = socket.connectToServer();
      this.#sockets.add({ close: () => [server.close(), socket.close()] });
    });
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
  }

  mend() {
    this.#isCut = false;
  }
}
