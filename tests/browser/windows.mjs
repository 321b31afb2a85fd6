// A browser, and windows of it that show the page. Records immediately what a window must never do:
// an error in a script, a violation of the Content-Security-Policy, a request to elsewhere.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { chromium } = await import(pathToFileURL(needed("PLAYWRIGHT")));

/** Expected refusals: limited requests, a held or lost lock, an invalid schedule. */
const EXPECTED = [/^429 POST .*\/limits\//, /^409 POST .*\/locks\//, /^400 POST .*\/tasks\//];

export class Windows {
  #browser;
  #base;
  #opened = [];
  problems = [];

  constructor(browser, base) {
    this.#browser = browser;
    this.#base = base;
  }

  static async launch(base) {
    // Chromium refuses to run its sandbox as root, which tests in a container run as.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    return new Windows(await chromium.launch({ executablePath: needed("CHROMIUM"), args }), base);
  }

  /** Opens a separate window for a person. `before(page)` prepares it. */
  async open({ room, user, before = async () => {}, ...options }) {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", ...options });
    const page = await context.newPage();
    this.#watch(page, user);
    this.#opened.push([user, page]);
    await before(page);
    await page.goto(`${this.#base}/?${new URLSearchParams({ room, user })}`);
    return page;
  }

  /** Takes screenshots of all windows, to investigate a failure. */
  async photograph(folder) {
    await mkdir(folder, { recursive: true });
    for (const [user, page] of this.#opened) {
      if (page.isClosed()) continue;
      const path = join(folder, `${user}.png`);
      await page.screenshot({ path, fullPage: true });
      console.log(`picture of ${user}'s window: ${path}`);
    }
  }

  /** Closes every window, and drops the records of what they did. */
  async closeAll() {
    await Promise.all(this.#browser.contexts().map((context) => context.close()));
    this.#opened = [];
    this.problems = [];
  }

  close() {
    return this.#browser.close();
  }

  #watch(page, user) {
    const report = (problem) => this.problems.push(`${user}: ${problem}`);
    page.on("pageerror", (error) => report(error.stack));
    page.on("console", (message) => {
      // Chromium's own report of a response or a lost connection. Responses are checked below.
      const ofNetwork = /^Failed to load resource|^WebSocket connection to/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !ofNetwork) report(message.text());
    });
    page.on("response", (response) => {
      const line = `${response.status()} ${response.request().method()} ${response.url()}`;
      if (response.status() >= 400 && !EXPECTED.some((expected) => expected.test(line))) report(line);
    });
    const judge = (address) => {
      const { host } = new URL(this.#base);
      if (new URL(address).host !== host) report(`asked elsewhere: ${address}`);
    };
    page.on("request", (request) => judge(request.url()));
    page.on("websocket", (socket) => judge(socket.url()));
  }
}

export function needed(name) {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set; \`cargo xtask browser ADDRESS\` sets it and runs this script`);
}
