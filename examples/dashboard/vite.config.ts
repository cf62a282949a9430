import { defineConfig, loadEnv, type Plugin } from "vite";
import { verifyPage } from "../../shared/bundle/verify-page.ts";

export default defineConfig(async ({ mode }) => {
  const { VITE_SUPABASE_URL: url } = loadEnv(mode, new URL(".", import.meta.url).pathname, "VITE_");
  if (!url) throw new Error("VITE_SUPABASE_URL is not set: see examples/dashboard/README.md");
  return {
    server: { host: "127.0.0.1", port: 5173, strictPort: true },
    build: { target: "es2023", emptyOutDir: true, modulePreload: { polyfill: false } },
    // the page that each court bundle brings along
    define: { VERIFY_PAGE: JSON.stringify(await verifyPage()) },
    plugins: [contentSecurityPolicy(new URL(url).origin)],
  };
});

/** The built page runs its own script only, and talks to the Supabase project only. */
function contentSecurityPolicy(supabase: string): Plugin {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: ${supabase}`,
    `media-src ${supabase}`,
    `connect-src ${supabase} ${supabase.replace(/^http/, "ws")}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [{
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: policy },
      injectTo: "head-prepend",
    }],
  };
}
