// Serves the guide's app as Next.js does: a page that the server renders, its routes, and the
// script of the browser.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { renderToString } from "react-dom/server";
import { GET } from "./app/api/broker-jwt/route";
import { POST } from "./app/api/casbroker/[call]/route";
import Page from "./app/page";
import { current } from "./headers";

async function answer(request: Request, path: string): Promise<Response> {
  const call = /^\/api\/casbroker\/(\w+)$/.exec(path)?.[1];
  if (path === "/api/broker-jwt") return GET();
  if (call) return POST(request, { params: Promise.resolve({ call }) });
  if (path === "/out.js") return new Response(await readFile("out.js"), { headers: { "Content-Type": "text/javascript" } });
  const page = `<!doctype html><html lang="en"><title>x</title><div id="app">${renderToString(await Page())}</div><script type="module" src="out.js"></script></html>`;
  return new Response(page, { headers: { "Content-Type": "text/html; charset=utf-8" } });
}

createServer(async (incoming, outgoing) => {
  const headers = new Headers(Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]));
  const body = incoming.method === "POST" ? await text(incoming) : undefined;
  const request = new Request(`http://localhost${incoming.url}`, { method: incoming.method, headers, body });
  const response = await current.run(request, () => answer(request, String(incoming.url)));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
}).listen(Number(process.env.PORT), "127.0.0.1");
