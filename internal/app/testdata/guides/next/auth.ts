// In the place of the app's auth.ts, which calls NextAuth.
import { cookies } from "./headers";

export async function auth(): Promise<{ user?: { id?: string } } | null> {
  const id = (await cookies()).get("who")?.value;
  return id ? { user: { id } } : null;
}
