// In the place of next/headers.
import { AsyncLocalStorage } from "node:async_hooks";

export const current = new AsyncLocalStorage<Request>();

export async function cookies() {
  const all = new URLSearchParams(current.getStore()!.headers.get("Cookie")?.replaceAll("; ", "&"));
  return { get: (name: string) => (all.has(name) ? { name, value: all.get(name)! } : undefined) };
}
