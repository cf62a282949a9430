// The least a function costs: it imports nothing and does nothing. Nobody would deploy it; it shows where the floor is.

export default {
  async fetch(request: Request): Promise<Response> {
    await request.text();
    return Response.json({ ok: true });
  },
};
