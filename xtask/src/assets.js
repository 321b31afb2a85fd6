// The files of the app's assets folder, with the types and the two conveniences of Cloudflare's
// static assets: a folder is its index.html, and `/page` finds `page.html`.

const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  mjs: "text/javascript; charset=utf-8",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webp: "image/webp",
  woff2: "font/woff2",
};

export default {
  async fetch(request, env) {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    // The address is normalised by now: no segment is `..`.
    const { pathname } = new URL(request.url);
    for (const path of candidates(pathname)) {
      const file = await env.FILES.fetch(new URL(path, "http://files"), { method: request.method });
      if (!file.ok) continue;
      const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
      return new Response(file.body, { headers: { "content-type": type } });
    }
    const error = { code: "not_found", message: `no route matches ${pathname}` };
    return Response.json({ error }, { status: 404 });
  },
};

// The disk service answers a folder with a listing, so only names of files are asked for.
function candidates(pathname) {
  if (pathname.endsWith("/")) return [`${pathname}index.html`];
  return pathname.slice(pathname.lastIndexOf("/")).includes(".") ? [pathname] : [`${pathname}.html`];
}
