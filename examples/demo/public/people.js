// Who sits before this window, and how people are told apart.

const HERMITS = [
  "Aelred", "Agnes", "Bega", "Cedd", "Christina", "Cuthbert", "Edith", "Emma", "Eve", "Godric", "Guthlac", "Hilda",
  "Ida", "Julian", "Katherine", "Loretta", "Margery", "Odo", "Richard", "Robert", "Simon", "Wulfric",
];

const listeners = new Set();
let user = firstName();

/** The name that this window goes by, in the room and as the holder of a lock. */
export function currentUser() {
  return user;
}

export function rename(name) {
  if (name === user) return;
  user = name;
  remember();
  for (const listener of listeners) listener(user);
}

export function whenRenamed(listener) {
  listeners.add(listener);
}

/** A name for somebody else. */
export function anotherName(taken) {
  const free = HERMITS.filter((name) => !taken.includes(name));
  return free.length === 0 ? `Guest ${taken.length + 1}` : free[Math.floor(Math.random() * free.length)];
}

/** The same colour for the same name in every window; the style sheet sets how light and how strong it is. */
export function colour(element, name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  // Steps of the golden angle: names whose sums are near each other get colours that are not.
  element.style.setProperty("--hue", Math.round((hash * 137.508) % 360));
}

function firstName() {
  const asked = new URLSearchParams(location.search).get("user")?.trim();
  return asked?.slice(0, 32) || remembered() || anotherName([]);
}

// For the tab, not for the browser: two tabs are two people.
function remembered() {
  try {
    return sessionStorage.getItem("user");
  } catch {
    return null;
  }
}

function remember() {
  try {
    sessionStorage.setItem("user", user);
  } catch {
    // Storage is switched off; the name is forgotten with the page.
  }
}

remember();
