// The view of the room: its members, its status and the message box.

import { anotherName, currentUser, person, rename } from "../people.js";
import { Room } from "./room.js";
import { Transcript } from "./transcript.js";

const TYPING_SHOWN = 4_000;
const NOTICE_SHOWN = 6_000;
const LONGEST = 4_096;

const byId = (id) => document.getElementById(id);

export function startChat() {
  const asked = new URLSearchParams(location.search).get("room")?.trim().slice(0, 64);
  new Chat(asked || byId("room").value).enter();
}

class Chat {
  #roomName;
  #room = null;
  #transcript = new Transcript();
  #state = "connecting";
  #wasOpen = false;
  #members = [];
  #typing = new Map();
  #notice = "";
  #noticeTimer = null;
  #box = byId("message");

  constructor(roomName) {
    this.#roomName = roomName;
    this.#listenToNames();
    this.#listenToComposer();
  }

  /** Joins the room under the current name, with an empty view. */
  enter() {
    this.#room?.leave();
    this.#wasOpen = false;
    this.#members = [];
    this.#notice = "";
    this.#forgetTyping();
    byId("room").value = this.#roomName;
    byId("user").value = currentUser();
    document.title = `${this.#roomName} · anchorhold`;
    history.replaceState(null, "", `?${new URLSearchParams({ room: this.#roomName })}${location.hash}`);
    this.#showMembers();
    this.#transcript.begin(() => this.#room.older());
    this.#room = new Room(this.#roomName, currentUser(), this.#listener());
  }

  #listener() {
    return {
      state: (state) => this.#become(state),
      messages: (messages) => {
        for (const message of messages) this.#stopTyping(message.user);
        this.#transcript.append(messages);
      },
      stored: (clientId) => this.#transcript.settle(clientId),
      refused: (message, clientId) => {
        this.#giveBack(this.#transcript.settle(clientId));
        this.#say(message);
      },
      forgotten: () => {
        this.#transcript.clear();
        this.#say("The room's messages were deleted.");
      },
      members: (members) => {
        this.#members = members;
        this.#showMembers();
      },
      joined: (user) => {
        if (!this.#members.includes(user)) this.#members.push(user);
        this.#showMembers();
        this.#say(`${user} has joined.`);
      },
      left: (user) => {
        this.#members = this.#members.filter((member) => member !== user);
        this.#stopTyping(user);
        this.#showMembers();
        this.#say(`${user} has left.`);
      },
      typing: (user) => this.#startTyping(user),
      sentOut: (reason) => {
        this.#notice = `You were removed from this room${reason === "" ? "" : `: ${reason}`}.`;
        this.#members = [];
        this.#showMembers();
        this.#become("closed");
      },
    };
  }

  // --- Members and status

  #become(state) {
    this.#state = state;
    byId("chat").dataset.state = state;
    byId("connection-window").toggleAttribute("data-lit", state === "open");
    if (state === "open") {
      this.#wasOpen = true;
      this.#transcript.ready();
    } else {
      this.#forgetTyping();
    }
    this.#showStatus();
  }

  #showMembers() {
    const names = [...this.#members].sort((one, other) => one.localeCompare(other));
    byId("members").replaceChildren(...names.map((name) => memberItem(name)));
    const other = anotherName([...names, currentUser()]);
    byId("second-window").href = `/?${new URLSearchParams({ room: this.#roomName, user: other })}`;
  }

  #startTyping(user) {
    if (user === currentUser()) return;
    clearTimeout(this.#typing.get(user));
    this.#typing.set(user, setTimeout(() => this.#stopTyping(user), TYPING_SHOWN));
    this.#showStatus();
  }

  #stopTyping(user) {
    clearTimeout(this.#typing.get(user));
    if (this.#typing.delete(user)) this.#showStatus();
  }

  #forgetTyping() {
    for (const timer of this.#typing.values()) clearTimeout(timer);
    this.#typing.clear();
  }

  #say(notice) {
    this.#notice = notice;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => {
      this.#notice = "";
      this.#showStatus();
    }, NOTICE_SHOWN);
    this.#showStatus();
  }

  #showStatus() {
    const text = this.#status();
    const line = byId("chat-status");
    // A screen reader would read the same text again.
    if (line.textContent !== text) line.textContent = text;
    line.classList.toggle("typing", this.#state === "open" && this.#typing.size > 0);
  }

  #status() {
    switch (this.#state) {
      case "closed":
        return this.#notice;
      case "open":
        return this.#typing.size > 0 ? typists([...this.#typing.keys()]) : this.#notice;
      default: {
        const lost = this.#wasOpen || this.#state === "waiting";
        const unsent = this.#transcript.hasPending ? " What you wrote is sent as soon as the room is back." : "";
        return `${lost ? "The connection is lost; trying again." : "Connecting …"}${unsent}`;
      }
    }
  }

  // --- Names and writing

  #listenToNames() {
    onNewName(byId("room"), () => this.#roomName, (name) => {
      this.#roomName = name;
      this.enter();
    });
    onNewName(byId("user"), currentUser, (name) => {
      rename(name);
      this.enter();
    });
  }

  #listenToComposer() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#post();
    });
    this.#box.addEventListener("keydown", (event) => {
      // During composition (IME), Enter confirms the composition.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#post();
    });
    this.#box.addEventListener("input", () => {
      this.#fitBox();
      if (this.#box.value.trim() !== "") this.#room.typing();
    });
    // The browser asks before leaving while a message is not stored yet.
    window.addEventListener("beforeunload", (event) => this.#transcript.hasPending && event.preventDefault());
  }

  #post() {
    const text = this.#box.value.trim();
    if (text === "") return;
    this.#box.value = "";
    this.#fitBox();
    this.#transcript.pend(this.#room.post(text), text);
    this.#showStatus();
  }

  /** Puts a refused text back into the box if the box is empty. */
  #giveBack(text) {
    if (text === undefined || this.#box.value !== "") return;
    this.#box.value = text;
    this.#fitBox();
  }

  #fitBox() {
    const left = LONGEST - this.#box.value.length;
    byId("length").textContent = left < 500 ? `${left} characters left.` : "";
    this.#box.style.height = "auto";
    this.#box.style.height = `${this.#box.scrollHeight + 2}px`;
  }
}

function memberItem(name) {
  const item = document.createElement("li");
  const pane = document.createElement("span");
  pane.className = "window";
  pane.dataset.lit = "";
  pane.setAttribute("aria-hidden", "true");
  const label = person("span", name);
  label.title = name;
  item.append(pane, label);
  if (name === currentUser()) {
    const you = document.createElement("span");
    you.className = "visually-hidden";
    you.textContent = "(you)";
    item.append(you);
  }
  return item;
}

function typists(names) {
  if (names.length === 1) return `${names[0]} is typing …`;
  return names.length === 2 ? `${names.join(" and ")} are typing …` : "Several people are typing …";
}

/** Applies a name that was entered. An empty one is replaced by the current name. */
function onNewName(field, current, apply) {
  field.addEventListener("change", () => {
    const name = field.value.trim();
    if (name === "") field.value = current();
    else if (name !== current()) apply(name);
  });
}
