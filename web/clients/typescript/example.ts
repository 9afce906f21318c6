// Saves a user's statement, reads the holdings and what has happened, and receives the webhook.
// BROKER_URL, SERVICE_KEY and WEBHOOK_SECRET are in the environment:
//
//   npm run example -- demo:node statement.pdf PASSWORD
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { BrokerError, createClient, unwrap, type Schemas } from "./client.ts";

const { BROKER_URL = "", SERVICE_KEY = "", WEBHOOK_SECRET = "" } = process.env;
const [user = "", file = "", password = ""] = process.argv.slice(2);

async function main() {
  const received = receiveFor(user);

  const broker = createClient(BROKER_URL, SERVICE_KEY);
  const saved = unwrap(await broker.POST("/v1/users/{subject}/statements", {
    params: { path: { subject: user } },
    body: { pdf_file: new Blob([await readFile(file)]), password },
  }));
  if (!("provenance" in saved)) throw new Error("it is a job"); // only with Prefer: respond-async

  const page = unwrap(await broker.GET("/v1/users/{subject}/portfolios/{id}/holdings", {
    params: { path: { subject: user, id: saved.id }, query: { limit: 100 } },
  }));
  for (const h of page.holdings) console.log(saved.provenance, h.class, h.name, h.value);

  for (let after: string | undefined, seen = false; !seen; ) {
    const list = unwrap(await broker.GET("/v1/events", { params: { query: { after, wait: 30 } } }));
    for (const e of list.events) {
      console.log("event", e.type, e.data.subject);
      seen ||= e.data.subject === user;
    }
    after = list.next_after; // a back end keeps it
  }
  await received;
}

/** Takes webhooks until there is one about the user, and refuses those that the broker has not signed. */
function receiveFor(user: string): Promise<void> {
  const webhook = new Webhook(WEBHOOK_SECRET);
  return new Promise((resolve, reject) => {
    const server = createServer(async (request, response) => {
      let event: Schemas["Event"];
      try {
        event = webhook.verify(await text(request), request.headers as Record<string, string>) as Schemas["Event"];
      } catch {
        response.writeHead(400).end();
        return;
      }
      response.writeHead(204).end(); // at least once: remember event.id
      console.log("webhook", event.type, event.data.subject);
      if (event.data.subject === user) server.close(() => resolve());
    });
    server.on("error", reject).listen(9000, "127.0.0.1");
  });
}

main().catch((e) => {
  console.error(e instanceof BrokerError ? `${e.status} ${e.code} ${e.message}` : e); // such as 422 invalid_password
  process.exit(1);
});
