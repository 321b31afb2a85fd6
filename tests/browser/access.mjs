// Accessibility of the page: screen readers, keyboard, contrast, small screens.

import assert from "node:assert/strict";
import { isConnected, say, texts } from "./chat.mjs";
import { eventually, shows } from "./expect.mjs";

const room = "access";
/** WCAG 2.2, success criterion 1.4.3. */
const CONTRAST = 4.5;

export const tests = [
  everythingHasAName,
  keyboardIsEnough,
  newsIsReadOutAndHistoryIsNot,
  textIsReadable,
  motionCanBeDoneWithout,
  everyScreenIsWideEnough,
];

async function everythingHasAName({ windows }) {
  const ann = await windows.open({ room, user: "Ann" });
  await isConnected(ann);
  const snapshot = await ann.locator("body").ariaSnapshot();
  const nameless = snapshot
    .split("\n")
    .filter((line) => /^\s*- (button|textbox|spinbutton|combobox|checkbox|switch|link|meter|region|log|navigation|heading)\b/.test(line))
    .filter((line) => !/^\s*- [a-z]+ "[^"]+"/.test(line));
  assert.deepEqual(nameless, [], snapshot);
  for (const role of ["banner", "main", "log", "meter", "switch"]) assert.match(snapshot, new RegExp(`- ${role}\\b`));
  const twice = await ann.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    return ids.filter((id, index) => ids.indexOf(id) !== index);
  });
  assert.deepEqual(twice, [], "ids are unique");
}

async function keyboardIsEnough({ windows }) {
  const ann = await windows.open({ room: "keys", user: "Ann" });
  await isConnected(ann);
  const focused = () => ann.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  await ann.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the message box");
  await ann.keyboard.press("Enter");
  await eventually("the skip link leads to the box", focused, (id) => id === "message");
  await ann.keyboard.type("by keys alone");
  await ann.keyboard.press("Shift+Enter");
  await ann.keyboard.type("in two lines");
  await ann.keyboard.press("Enter");
  await eventually("it is posted", () => texts(ann), (seen) => seen[0] === "by keys alone\nin two lines");
  assert.equal(await focused(), "message", "the next one can be written at once");
  await ann.keyboard.press("Shift+Tab");
  assert.equal(await focused(), "scroller", "the conversation can be scrolled");

  // Tab reaches every control in the order of the page, always with a visible focus.
  const usable = await ann.evaluate(() => {
    const fits = "a[href], button:not([disabled]), input, select, textarea, [tabindex='0']";
    return [...document.querySelectorAll(fits)].filter((element) => element.checkVisibility()).length;
  });
  await ann.evaluate(() => document.activeElement.blur());
  await ann.locator("body").press("Home");
  await ann.evaluate(() => document.querySelector(".skip").focus());
  let last = -1;
  for (let step = 0; step < usable; step += 1) {
    const { index, isMarked, what } = await ann.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      return {
        index: [...document.querySelectorAll("*")].indexOf(element),
        isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        what: element.outerHTML.slice(0, 80),
      };
    });
    assert.ok(index > last, `focus goes on: ${what}`);
    assert.ok(isMarked, `focus is seen: ${what}`);
    last = index;
    if (step < usable - 1) await ann.keyboard.press("Tab");
  }
  // The focused button disappears. The focus does not.
  await ann.locator("#lock [data-action=take]").focus();
  await ann.keyboard.press("Enter");
  await eventually("focus stays in the panel", focused, (text) => text === "Renew");
  await ann.locator("#lock [data-action=release]").press("Space");
  await eventually("focus stays in the panel", focused, (text) => text === "Take");
}

async function newsIsReadOutAndHistoryIsNot({ windows, host }) {
  await host.post("/rooms/heard/messages", { user: "Ben", text: "long ago" });
  const ann = await windows.open({ room: "heard", user: "Ann" });
  const log = ann.getByRole("log");
  await eventually("the log is ready", () => log.getAttribute("aria-busy"), (busy) => busy === "false");
  assert.equal((await texts(ann)).length, 1, "history was put there while the log was busy");
  await say(ann, "now");
  await eventually("it is in the log", () => log.innerText(), (text) => text.includes("now"));
  await shows(ann, "#counter [data-field=value]", /\d/);
  await ann.click("#counter [data-by='1']");
  await shows(ann, "#announcements", /\d/);
}

async function textIsReadable({ windows, host }) {
  await host.post(`/rooms/${room}/messages`, { user: "Ben", text: "Readable?" });
  for (const colorScheme of ["light", "dark"]) {
    const ann = await windows.open({ room, user: "Ann", colorScheme });
    await isConnected(ann);
    await say(ann, `in the ${colorScheme}`);
    await shows(ann, "#messages", new RegExp(`in the ${colorScheme}`));
    await ann.click("#lock [data-action=take]");
    await shows(ann, "#lock [data-field=state]", /in this window/);
    const { faint, checked } = await ann.evaluate(contrasts, CONTRAST);
    assert.deepEqual(faint, [], `${colorScheme}: text too faint`);
    assert.ok(checked > 40, `${checked} texts looked at`);
    await ann.click("#lock [data-action=release]");
    await shows(ann, "#lock [data-field=state]", /Free/);
  }
}

async function motionCanBeDoneWithout({ windows }) {
  const ann = await windows.open({ room, user: "Ann", reducedMotion: "reduce" });
  await isConnected(ann);
  await shows(ann, "#limiter [data-field=reading]", /used/);
  await ann.click("#bells [data-topic=matins] button");
  await ann.click("#limiter [data-requests='1']");
  await eventually("a mark", () => ann.locator("#limiter .mark").count(), (count) => count === 1);
  const moving = await ann.evaluate(() =>
    document
      .getAnimations()
      .map((animation) => [animation.animationName ?? animation.transitionProperty, animation.effect.getTiming().easing])
      .filter(([name, easing]) => name !== undefined || !easing.startsWith("steps")),
  );
  assert.deepEqual(moving, []);
}

async function everyScreenIsWideEnough({ windows, host }) {
  const text = `${"long".repeat(60)} ${"word ".repeat(40)}`;
  await host.post("/rooms/screens/messages", { user: "Wulfric of Haselbury Plucknett I", text });
  for (const width of [1280, 390, 320]) {
    const isPhone = width < 1000;
    const ann = await windows.open({
      room: "screens",
      user: "Ann",
      viewport: { width, height: 844 },
      isMobile: isPhone,
      hasTouch: isPhone,
    });
    await isConnected(ann);
    await ann.click("#counter [data-action=scratch]");
    await ann.click("#limiter [data-requests='10']");
    await shows(ann, "#limiter [data-field=reading]", /[1-9] of/);
    const { wide, total, small } = await ann.evaluate(layout, width);
    assert.deepEqual(wide, [], `${width} pixels: too wide`);
    assert.ok(total <= width, `${total} of ${width} pixels`);
    if (isPhone) assert.deepEqual(small, [], "fingers find every button");
    await say(ann, `${width} wide`);
    await eventually("it is posted", async () => (await texts(ann)).at(-1), (last) => last === `${width} wide`);
  }
}

/** Runs in the page. Returns what extends beyond the screen, and buttons below 44 pixels. */
function layout(width) {
  const seen = [...document.querySelectorAll("main *, header *")].filter((element) => element.checkVisibility());
  return {
    wide: seen
      .filter((element) => element.getBoundingClientRect().right > width + 0.5)
      .filter((element) => element.closest(".mark, .visually-hidden") === null)
      .map((element) => element.outerHTML.slice(0, 100)),
    total: document.documentElement.scrollWidth,
    small: seen
      .filter((element) => element.matches("button:not(.link)") && element.getBoundingClientRect().height < 44)
      .map((element) => element.textContent),
  };
}

/** Runs in the page. Returns every text with too little contrast to its background. */
function contrasts(needed) {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colour, below) => {
    // The canvas parses every notation of colours that the style sheet may use.
    context.fillStyle = `rgb(${below.join(" ")})`;
    context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const background = (element) =>
    element === null ? [255, 255, 255] : over(getComputedStyle(element).backgroundColor, background(element.parentElement));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
  const texts = [...document.querySelectorAll("body *")].filter(
    (element) =>
      (hasText(element) || element.matches("input:not([type=checkbox]), textarea")) &&
      element.checkVisibility({ opacityProperty: true }) &&
      element.closest(".visually-hidden, .skip, .message.together .who") === null,
  );
  const faint = [];
  for (const element of texts) {
    const behind = background(element);
    const [low, high] = [luminance(over(getComputedStyle(element).color, behind)), luminance(behind)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < needed) faint.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 100)}`);
  }
  return { faint, checked: texts.length };
}
