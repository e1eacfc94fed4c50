// A real browser: Chromium, without a window, if the system has one.
//
// It is given a page, and the page tells when it is done. Invariant: no process and no profile outlives `visit`.

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const PATIENCE_MS = 60_000;
const FLAGS = [
  "--headless=new",
  "--no-sandbox", // tests may run as root, where there is none
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
];

const name = NAMES.find((name) => {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
});

/** Why there is no browser; undefined: there is one. */
export const noBrowser: string | undefined = name === undefined
  ? "no Chromium here; apt-get install chromium"
  : undefined;

/**
 * Opens a page of a site that the test serves at http://localhost, and returns what the page reports by posting it to
 * `/report`.
 *
 * @param page The HTML of the page
 * @param redirect Where `/redirect` leads to, with the same method and body
 */
export async function visit(page: string, redirect: string): Promise<string> {
  const profile = Deno.makeTempDirSync({ prefix: "karma-browser-" });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const site = Deno.serve({ port: 0, hostname: "localhost", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/report") resolve(await request.text());
    if (pathname === "/redirect") return Response.redirect(redirect, 307);
    const html = pathname === "/" ? page : "";
    return new Response(html, { headers: { "content-type": "text/html" } });
  });
  const args = [...FLAGS, `--user-data-dir=${profile}`, `http://localhost:${site.addr.port}/`];
  const browser = new Deno.Command(name!, { args, stdout: "null", stderr: "null" }).spawn();
  const cut = setTimeout(() => reject(new Error("The page did not report")), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(cut);
    browser.kill("SIGKILL");
    await browser.status;
    await site.shutdown();
    // Its children may still write for a moment.
    for (let isThere = true; isThere;) {
      try {
        Deno.removeSync(profile, { recursive: true });
        isThere = false;
      } catch {
        await new Promise((done) => setTimeout(done, 20));
      }
    }
  }
}
