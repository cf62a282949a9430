// The official template: `withSupabase` of @supabase/server, as its README shows a function for signed-in users, filled in
// with the two Storage calls that a user would write to hand out signed URLs. What the bundle replaces.
import { withSupabase } from "@supabase/server";

export default {
  fetch: withSupabase({ auth: "user" }, async (request, { supabase }) => {
    const { bucket, path, paths } = await request.json();
    const storage = supabase.storage.from(bucket);
    const { data, error } = paths
      ? await storage.createSignedUrls(paths, 3600)
      : await storage.createSignedUrl(path, 3600);
    if (error) return Response.json({ message: error.message }, { status: 400 });
    return Response.json(data);
  }),
};
