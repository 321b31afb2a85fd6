// A Worker in JavaScript that is bound to the app and to its objects.
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/public") return Response.json(await answers(env.APP, searchParams.get("names").split(",")));
    if (pathname.startsWith("/through-the-app/")) {
      return env.APP.fetch(`http://app${pathname.slice("/through-the-app".length)}`);
    }
    return env.ANSWER_PROBE.getByName("called").fetch(`http://object${pathname}`);
  },
};

// Which of the methods can be called.
async function answers(app, names) {
  const answered = [];
  for (const name of names) {
    try {
      await app[name]();
      answered.push(name);
    } catch (error) {
      if (!error.message.includes("does not implement")) answered.push(`${name}: ${error.message}`);
    }
  }
  return answered;
}
