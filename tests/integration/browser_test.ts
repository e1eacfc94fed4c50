// Pages in a real browser: what a page of another site sends changes nothing, whichever way it sends it; and a page that
// --cors-origin names uses Karma.

import { assert, assertEquals } from "@std/assert";
import { noBrowser, visit } from "../support/browser.ts";
import { Client } from "../support/client.ts";
import { Server } from "../support/server.ts";

if (noBrowser) console.log(`Skipped browser_test.ts: ${noBrowser}`);

const CREATE = '{"v":2,"op":"tree.create","series":"kept"}';
const LIST = '{"v":2,"op":"tree.list"}';
const KEPT = '{"protocol_version":2,"success":true,"response":["kept"],"error_code":null}';
const GONE = KEPT.replace('["kept"]', "[]");

/** The script of a page that tries every way, and reports how many it has tried and what could be read. */
function attack(karma: string): string {
  return `
const body = JSON.stringify({ op: "tree.drop", series: "kept", v: 2 });
const lines = "\\n" + body + "\\n" + body + "\\n";
const urls = ["/v2", "/v2/tree.drop", "/"].map((path) => ${
    JSON.stringify(karma)
  } + path).concat("/redirect");
const types = ["text/plain", "application/x-www-form-urlencoded", "application/json", "application/x-ndjson"];
let tried = 0, read = [];
const attempt = async (send) => {
  tried++;
  try { await send(); } catch {}
};
const form = (action, enctype, name, value) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.name = "frame" + tried;
  document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, { action, enctype, method: "post", target: frame.name });
  const input = document.createElement("input");
  Object.assign(input, { type: "hidden", name, value });
  form.append(input);
  document.body.append(form);
  frame.onload = done;
  setTimeout(done, 300);
  form.submit();
});
(async () => {
  for (const url of urls) {
    for (const text of [body, lines]) {
      for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
        const [name, value] = [text.trimEnd().slice(0, -1) + ',"x":"', '"}'];
        await attempt(() => form(url, enctype, name, value));
        await attempt(() => form(url, enctype, text, ""));
      }
      for (const type of types) {
        for (const mode of ["no-cors", "cors"]) {
          for (const keepalive of [false, true]) {
            await attempt(async () => {
              const init = { method: "POST", mode, keepalive, credentials: "include" };
              const response = await fetch(url, { ...init, headers: { "content-type": type }, body: text });
              const seen = await response.text();
              if (seen !== "") read.push(url + " " + seen);
            });
          }
        }
        await attempt(() => { navigator.sendBeacon(url, new Blob([text], { type })); });
        await attempt(() => new Promise((done) => {
          const request = new XMLHttpRequest();
          request.open("POST", url);
          request.setRequestHeader("content-type", type);
          request.onloadend = done;
          request.send(text);
        }));
      }
      await attempt(() => { navigator.sendBeacon(url, text); });
      await attempt(() => fetch(url, { method: "POST", mode: "no-cors", body: text }));
      await attempt(() => fetch(url, { method: "PUT", body: text }));
    }
    for (const tag of ["img", "script", "iframe"]) {
      await attempt(() => new Promise((done) => {
        const element = document.createElement(tag);
        element.onload = element.onerror = done;
        element.src = url + "?" + encodeURIComponent(body);
        setTimeout(done, 300);
        document.body.append(element);
      }));
    }
    await attempt(() => new Promise((done) => {
      const socket = new WebSocket(url === "/redirect" ? "ws://localhost:1" : url.replace("http", "ws"));
      socket.onerror = socket.onclose = done;
      socket.onopen = () => socket.send(body);
    }));
  }
  await fetch("/report", { method: "POST", body: JSON.stringify({ tried, read }) });
})();`;
}

/** A page with a script. */
function page(script: string): string {
  return `<!doctype html><meta charset="utf-8"><body><script>${script}</script>`;
}

Deno.test({
  name: "browser: a page of another site changes nothing, whichever way it sends a request",
  ignore: noBrowser !== undefined,
  async fn() {
    await using server = await Server.start();
    using witness = await Client.connect(server.port);
    await witness.ask(CREATE);
    const karma = `http://127.0.0.1:${server.port}`;
    const { tried, read } = JSON.parse(await visit(page(attack(karma)), `${karma}/v2`));
    assert(tried > 200, `${tried}`);
    assertEquals(read, [], "and it reads nothing");
    assertEquals(await witness.ask(LIST), KEPT);
  },
});

Deno.test({
  name: "browser: a page that --cors-origin names uses Karma with fetch",
  ignore: noBrowser !== undefined,
  async fn() {
    // The port of the site is not known before, so all may.
    await using server = await Server.start({ args: ["--cors-origin=*", "--auth-token=right"] });
    const ask = `(async () => {
      const told = [];
      const headers = { "content-type": "application/json", authorization: "Bearer right" };
      const limits = [{ series: "exports", max: 1, window: "day" }];
      for (const [path, fields] of [
        ["tree.create", { series: "kept" }],
        ["limit.consume?status=429", { key: 1, limits }],
        ["limit.consume?status=429", { key: 1, limits }],
        ["tree.drop", { series: "exports" }],
        ["tree.list", {}],
      ]) {
        const url = "http://127.0.0.1:${server.port}/v2/" + path;
        const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(fields) });
        const { response: value } = await response.json();
        told.push([response.status, value.allowed ?? value, response.headers.has("ratelimit")]);
      }
      await fetch("/report", { method: "POST", body: JSON.stringify(told) });
    })();`;
    assertEquals(JSON.parse(await visit(page(ask), "")), [
      [200, "OK", false],
      [200, true, true],
      [429, false, true],
      [200, "OK", false],
      [200, ["kept"], false],
    ]);
    using witness = await Client.connect(server.port);
    const list = LIST.replace("{", '{"token":"right",');
    assertEquals(await witness.ask(list), KEPT);
    await witness.ask('{"v":2,"token":"right","op":"tree.drop","series":"kept"}');
    assertEquals(await witness.ask(list), GONE);
  },
});
