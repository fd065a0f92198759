// Readers who have been here once can read on without a network. Not from a disk, where nothing of
// the kind works or is needed, nor for those who ask for little to be loaded.
(() => {
  const worker = new URL("../offline.js", document.currentScript.src);
  if (!("serviceWorker" in navigator) || !worker.protocol.startsWith("http")) return;
  if (navigator.connection?.saveData) return;
  addEventListener("load", () => navigator.serviceWorker.register(worker).catch(() => {}));
})();
