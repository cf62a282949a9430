// What most tutorials show: a supabase-js client made for each request with the caller's Authorization header, his token
// verified by `getClaims`, then the Storage call.
import { createClient } from "@supabase/supabase-js";

export default {
  async fetch(request: Request): Promise<Response> {
    const authorization = request.headers.get("Authorization") ?? "";
    const keys = JSON.parse(Deno.env.get("SUPABASE_PUBLISHABLE_KEYS")!);
    const supabase = createClient(Deno.env.get("SUPABASE_URL")!, keys.default, {
      global: { headers: { Authorization: authorization } },
      auth: { autoRefreshToken: false, persistSession: false },
    });
    const { data: caller, error: unauthorized } = await supabase.auth.getClaims(
      authorization.replace("Bearer ", ""),
    );
    if (unauthorized || !caller) return Response.json({ message: "Unauthorized" }, { status: 401 });
    const { bucket, path } = await request.json();
    const { data, error } = await supabase.storage.from(bucket).createSignedUrl(path, 3600);
    if (error) return Response.json({ message: error.message }, { status: 400 });
    return Response.json(data);
  },
};
