/** JSON as Storage, PostgREST and the gateway send it: they name its charset, which Response.json does not. */
export function json(
  body: unknown,
  init: { status?: number; headers?: Record<string, string> } = {},
): Response {
  const headers = { ...init.headers, "content-type": "application/json; charset=utf-8" };
  return Response.json(body, { ...init, headers });
}
