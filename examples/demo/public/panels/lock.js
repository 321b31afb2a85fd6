// A lock that windows compete for. The lease's secret stays in this module.

import { path, randomId } from "../http.js";
import { currentUser, person } from "../people.js";
import { Panel, announce } from "./panel.js";

const LEASE = 10_000;
const WAIT = 30_000;
/** Milliseconds for which a competing window holds the lock. */
const KEEP = 1_800;
const TENURES = 8;
/** How many waiting requests are shown by name. */
const QUEUE = 4;

export function startLock() {
  new LockPanel("lock").keepFresh();
}

class LockPanel extends Panel {
  /** What this window holds: the path it was acquired at, the lease, the token. */
  #held = null;
  /** The request that waits in the queue: its path and its id. */
  #waiting = null;
  #expiresAt = null;
  #tenures = [];

  constructor(id) {
    super(id);
    const actions = {
      take: () => this.#take(),
      renew: () => this.#renew(),
      release: () => this.#release(),
      cancel: () => this.#cancel(),
    };
    for (const button of this.section.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this.attempt(actions[button.dataset.action]));
    }
    this.#compete.addEventListener("change", () => this.#compete.checked && this.attempt(() => this.#competeOn()));
    this.#drain();
  }

  get path() {
    return path("locks", this.name);
  }

  get #compete() {
    return this.find("[name=compete]");
  }

  renamed() {
    if (this.#waiting !== null) this.attempt(() => this.#cancel());
    // The panel shows one lock. A lease of another would be kept without a button to release it.
    if (this.#held !== null) this.attempt(() => this.#release());
    this.#tenures = [];
    this.field("tenures").replaceChildren();
    this.#compete.checked = false;
  }

  async refresh() {
    const [asked, held] = [this.path, this.#held];
    const state = await this.look(`${asked}/inspect`);
    if (asked !== this.path) return 0;
    // The response can only show the end of a lease that was granted before the request.
    const lives = state.leases.some(({ token }) => token === held?.token);
    if (held?.at === asked && held === this.#held && !lives) this.#lose();
    this.#show(state);
    return state.leases.length > 0 || state.queue.length > 0 ? 250 : 1_000;
  }

  async #take() {
    const request = { at: this.path, id: randomId() };
    this.#waiting = request;
    this.#showButtons();
    try {
      const order = { holder: currentUser(), ttl_ms: LEASE, wait_ms: WAIT, request_id: request.id };
      const lease = await this.call("POST", `${request.at}/acquire`, order);
      this.#hold({ at: request.at, ...lease });
      if (request.at !== this.path) return await this.#release();
      announce(`You hold the lock, with token ${lease.token}.`);
    } catch (error) {
      if (error.code !== "cancelled") throw error;
      announce("No longer waiting.");
    } finally {
      this.#waiting = null;
      this.#showButtons();
    }
  }

  /** Cancels the waiting request, which then fails with `cancelled`. */
  async #cancel() {
    const { at, id } = this.#waiting;
    await this.call("POST", `${at}/cancel`, { request_id: id });
  }

  async #renew() {
    const { at, lease } = this.#held;
    try {
      this.#hold({ at, ...(await this.call("POST", `${at}/renew`, { lease, ttl_ms: LEASE })) });
      announce("Renewed.");
    } catch (error) {
      this.#letGoIfLost(error);
      throw error;
    }
  }

  async #release() {
    const { at, lease } = this.#held;
    try {
      await this.call("POST", `${at}/release`, { lease });
      this.#hold(null);
      announce("Released.");
    } catch (error) {
      this.#letGoIfLost(error);
      throw error;
    }
  }

  /** Acquires, holds and releases repeatedly, until the checkbox is cleared. */
  async #competeOn() {
    try {
      while (this.#compete.checked) {
        if (this.#held === null) await this.#take();
        if (this.#held === null) continue;
        await new Promise((done) => setTimeout(done, KEEP));
        if (this.#held !== null) await this.#release();
      }
    } catch (error) {
      if (error.code === "held" || error.code === "lost") return this.#competeOn();
      this.#compete.checked = false;
      throw error;
    }
  }

  #hold(held) {
    this.#held = held;
    this.#expiresAt = held?.expires_at ?? null;
    this.#showButtons();
    this.refreshSoon();
  }

  #letGoIfLost(error) {
    if (error.code === "lost") this.#hold(null);
  }

  #lose() {
    this.#hold(null);
    announce("The lease has run out.");
  }

  #show({ leases, queue, token }) {
    const held = leases.at(-1);
    this.lit = held !== undefined;
    this.#expiresAt = held?.expires_at ?? null;
    this.field("token").textContent = token;
    this.field("state").replaceChildren(...(held === undefined ? ["Free"] : this.#holder(held)));
    this.#showQueue(queue);
    if (held !== undefined) this.#remember(held);
    this.#showButtons();
  }

  #holder({ holder, token }) {
    const here = token === this.#held?.token ? ", in this window" : "";
    return ["Held by ", person("strong", holder), here];
  }

  #showQueue(queue) {
    const names = queue.slice(0, QUEUE).map(({ holder }) => person("span", holder));
    const more = queue.length > QUEUE ? [`and ${queue.length - QUEUE} more`] : [];
    this.field("queue").replaceChildren(...(queue.length > 0 ? ["Next: ", ...names, ...more] : []));
  }

  /** Adds a holder to the list of the latest ones, newest first. */
  #remember({ token, holder }) {
    if (this.#tenures[0]?.token === token) return;
    this.#tenures = [{ token, holder }, ...this.#tenures].slice(0, TENURES);
    this.field("tenures").replaceChildren(
      ...this.#tenures.map((tenure) => {
        const item = person("li", tenure.holder);
        const number = document.createElement("b");
        number.textContent = tenure.token;
        item.prepend(number, " ");
        return item;
      }),
    );
  }

  #showButtons() {
    const [holds, waits] = [this.#held !== null, this.#waiting !== null];
    const shown = { take: !holds && !waits, renew: holds, release: holds, cancel: waits && !holds };
    const focused = document.activeElement;
    for (const [action, isShown] of Object.entries(shown)) {
      this.find(`[data-action=${action}]`).hidden = !isShown;
    }
    // When the focused button is hidden, the focus must not go to the top of the page.
    if (this.section.contains(focused) && focused.matches("[data-action][hidden]")) {
      this.find("[data-action]:not([hidden])").focus();
    }
  }

  /** Draws the remaining time of the lease in each frame. */
  #drain() {
    const bar = this.find(".lease span");
    const draw = () => {
      const left = this.#expiresAt === null ? 0 : Math.max(0, this.#expiresAt - Date.now());
      bar.style.width = `${Math.min(100, (left / LEASE) * 100)}%`;
      requestAnimationFrame(draw);
    };
    draw();
  }
}
