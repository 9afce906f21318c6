// Exchanges a user's JWT for an access token with two OAuth clients. The arguments are the
// issuer, the JWT of a user, one of a service, and the name and key of another.
import * as openid from "openid-client";
import * as oauth from "oauth4webapi";

const [issuer, jwt, service, name, key] = process.argv.slice(2);
const server = new URL(issuer);
const grant = "urn:ietf:params:oauth:grant-type:token-exchange";
const subject = (token) => ({
  subject_token: token, subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
});
const results = {};

{
  const config = await openid.discovery(server, "the-app", undefined, openid.None(), {
    algorithm: "oauth2", execute: [openid.allowInsecureRequests],
  });
  const token = await openid.genericGrantRequest(config, grant, subject(jwt));
  const scoped = await openid.genericGrantRequest(config, grant, { ...subject(jwt), scope: "parse", mode: "gateway" });
  const refused = await openid.genericGrantRequest(config, grant, subject(jwt + "x")).catch((error) => error);
  const scope = await openid.genericGrantRequest(config, grant, { ...subject(jwt), scope: "everything", mode: "gateway" }).catch((error) => error);
  const asService = await openid.discovery(server, "the-app", undefined, (as, client, body, headers) => {
    headers.set("authorization", `Bearer ${service}`);
  }, { algorithm: "oauth2", execute: [openid.allowInsecureRequests] });
  const introspected = await openid.tokenIntrospection(asService, token.access_token);
  await openid.tokenRevocation(asService, token.access_token);
  results.openidClient = {
    token, expiresIn: token.expiresIn(), scoped, refused: refused.error, description: refused.error_description, scope: scope.error,
    introspected, after: await openid.tokenIntrospection(asService, token.access_token),
  };
}
{
  const insecure = { [oauth.allowInsecureRequests]: true };
  const response = await oauth.discoveryRequest(server, { ...insecure, algorithm: "oauth2" });
  const as = await oauth.processDiscoveryResponse(server, response);
  const client = { client_id: "the-app" };
  const ask = async (token) => oauth.processGenericTokenEndpointResponse(as, client, await oauth.genericTokenEndpointRequest(
    as, client, oauth.None(), grant, new URLSearchParams(subject(token)), insecure));
  const token = await ask(jwt);
  const refused = await ask("x").catch((error) => error);
  // As stock introspectors do: with a client_id and a client_secret.
  const confidential = { client_id: name };
  const wrong = oauth.ClientSecretBasic(key + "x");
  const secrets = {};
  for (const [method, auth] of [["client_secret_basic", oauth.ClientSecretBasic(key)], ["client_secret_post", oauth.ClientSecretPost(key)]]) {
    const { access_token } = await ask(jwt);
    const introspect = async (by) => oauth.processIntrospectionResponse(
      as, confidential, await oauth.introspectionRequest(as, confidential, by, access_token, insecure));
    const before = await introspect(auth);
    const denied = await introspect(wrong).catch((error) => error);
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, confidential, auth, access_token, insecure));
    secrets[method] = {
      before, after: await introspect(auth), challenge: denied.cause?.[0]?.scheme ?? denied.message,
      told: as.introspection_endpoint_auth_methods_supported.includes(method) && as.revocation_endpoint_auth_methods_supported.includes(method),
    };
  }
  results.oauth4webapi = { as, token, refused: refused.error, status: refused.status, secrets };
}
console.log(JSON.stringify(results));
