// The bundle's own way in, `fetchMedium` and `takeIn`, as a function that answers once all media are stored. The webhook
// does the same after its answer, as many at a time.
import pLimit from "p-limit";
import { AT_ONCE } from "../../shared/evidence/transfer.ts";
import { secretProject } from "../../shared/platform/project.ts";
import { StorageService } from "../../shared/storage/service.ts";
import { takeIn } from "../../shared/storage/take-in.ts";
import { credentialsFrom, fetchMedium } from "../../shared/twilio/media.ts";
import type { TakeInRequest } from "./request.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    const { media, contentType }: TakeInRequest = await request.json();
    const project = secretProject(Deno.env);
    const storage = new StorageService(project, project.url);
    await pLimit(AT_ONCE).map(media, async ({ url, path }) => {
      const response = await fetchMedium(url, credentialsFrom(Deno.env));
      await takeIn(
        storage,
        {
          body: response.body!,
          announcedBytes: Number(response.headers.get("content-length")),
          declaredType: contentType,
        },
        { bucket: "evidence", path },
        Infinity,
      );
    });
    return Response.json({ stored: media.length });
  },
};
