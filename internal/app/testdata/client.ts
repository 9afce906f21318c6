// Uses the client for TypeScript against the broker at BROKER_URL, as user and as service.
import assert from "node:assert/strict";
import { BrokerError, createClient, unwrap, type Schemas } from "./client.ts";

const { BROKER_URL = "", SERVICE_KEY = "", USER_JWT = "" } = process.env;
const subject = "app:a/b c?%";
const pdf = (source: string) => new Blob([`%PDF-1.4\n% ${source}\n%%EOF\n`]);
const service = createClient(BROKER_URL, SERVICE_KEY);

// The calls of a back end.
const path = { subject };
const form = { pdf_file: pdf("cdsl"), password: "ABCDE1234F" };
const saved = unwrap(await service.POST("/v1/users/{subject}/statements", { params: { path }, body: form }));
assert.ok("provenance" in saved);
assert.equal(saved.provenance satisfies "verified" | "reported", "verified");
const again = unwrap(await service.POST("/v1/users/{subject}/statements", { params: { path }, body: form }));
assert.ok("created" in again && again.id === saved.id && again.created === false);

const holdings: Schemas["Holding"][] = [];
for (let cursor: string | undefined; ; ) {
  const page = unwrap(await service.GET("/v1/users/{subject}/portfolios/{id}/holdings", {
    params: { path: { subject, id: saved.id }, query: { limit: 2, cursor } },
  }));
  holdings.push(...page.holdings);
  if (page.next_cursor === null) break;
  cursor = page.next_cursor;
}
assert.equal(holdings.length, saved.stored_rows);
const value: string | null = holdings[0]!.value; // an amount is text
assert.match(value ?? "", /^\d+(\.\d+)?$/);
// @ts-expect-error a holding has no such member
holdings[0]!.amount;

const { portfolios } = unwrap(await service.GET("/v1/users/{subject}/portfolios", { params: { path, query: { active: true } } }));
assert.deepEqual(portfolios.map((p) => p.id), [saved.id]);
// @ts-expect-error a file of JSON is base64, not a Blob and text at once
const wrong: Schemas["StatementDocument"] = { pdf_file: pdf("cdsl") };
const token = unwrap(await service.POST("/v1/users/{subject}/token", { params: { path }, body: { expiry_minutes: 10 } }));
assert.match(token.access_token, /^at_/);
const { events } = unwrap(await service.GET("/v1/events", { params: { query: { wait: 10 } } }));
assert.deepEqual(events.map((e) => [e.type, e.data.subject, e.data.portfolio_id]), [["portfolio.saved", subject, saved.id], ["holdings.changed", subject, saved.id]]);

// The calls of a page, whose token is renewed for each call.
let asked = 0;
const user = createClient(`${BROKER_URL}/`, async () => (asked++, USER_JWT));
const data = { meta: { cas_type: "CDSL" }, demat_accounts: [{ bo_id: "1209999900000001", holdings: { equities: [
  { isin: "INE999Z01012", name: "EXAMPLE STEEL", units: 1, value: 10 },
] } }] };
const reported = unwrap(await user.POST("/v1/portfolios", { body: { data }, params: { header: { "Idempotency-Key": "k1" } } }));
assert.equal(reported.provenance, "reported");
unwrap(await user.DELETE("/v1/portfolios/{id}", { params: { path: { id: reported.id } } }));
assert.equal(asked, 2);

// Errors are problems.
const refused = await user.POST("/v1/statements", { body: { pdf_file: pdf("cdsl"), password: "wrong" } });
assert.equal(refused.error?.code satisfies string | undefined, "invalid_password");
await assert.rejects(
  async () => unwrap(await service.GET("/v1/users/{subject}/portfolios/latest", { params: { path: { subject: "app:nobody" } } })),
  (e) => e instanceof BrokerError && e.status === 404 && e.code === e.problem?.code && e.problem.request_id.startsWith("req_"),
);
const elsewhere = createClient(BROKER_URL, "");
await assert.rejects(async () => unwrap(await elsewhere.GET("/v1/me/export")), { name: "BrokerError", status: 401 });
console.log("done");
