// Keeps the site for readers without a network. Written by the build; what stands here is filled in
// by gilnotes/site/offline.py. A page that can be had from the network always comes from there.
(() => {
  const FILES = [];
  const OURS = `gilnotes ${registration.scope} `;
  const KEPT = `${OURS}DIGEST`;

  const keep = async () => {
    const cache = await caches.open(KEPT);
    await cache.addAll(FILES.map((name) => new Request(name, {cache: "no-cache"})));
    await skipWaiting();
  };

  const forget = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(OURS) && name !== KEPT) await caches.delete(name);
    }
    await clients.claim();
  };

  const answer = async (request) => {
    try {
      return await fetch(request);
    } catch (error) {
      const url = request.url.replace(/[?#].*$/, "").replace(/\/$/, "/index.html");
      const kept = await caches.match(url, {cacheName: KEPT});
      if (kept) return kept;
      throw error;
    }
  };

  addEventListener("install", (event) => event.waitUntil(keep()));
  addEventListener("activate", (event) => event.waitUntil(forget()));
  addEventListener("fetch", (event) => {
    if (event.request.method === "GET" && event.request.url.startsWith(registration.scope)) {
      event.respondWith(answer(event.request));
    }
  });
})();
