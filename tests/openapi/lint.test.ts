// docs/openapi.json is what the contracts and pages make, and a linter of the field's finds nothing in it.
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { FILE, openApi, openApiText } from "../../docs/generate/openapi.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

Deno.test("docs/openapi.json is what the contracts and the pages make", async () => {
  assert(await Deno.readTextFile(FILE) === openApiText(), "it is not: run `npm run openapi`");
});

Deno.test("Redocly's recommended rules find nothing in docs/openapi.json", async () => {
  const config = await createConfig({ extends: ["recommended"] });
  const problems = await lintFromString({ source: await Deno.readTextFile(FILE), absoluteRef: FILE, config });
  assertEquals(
    problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
    [],
  );
});

Deno.test("every function is in the document", async () => {
  const functions = await Array.fromAsync(Deno.readDir(new URL("../../functions", import.meta.url)));
  assertEquals(
    Object.keys(openApi().paths as object).sort(),
    functions.map(({ name }) => `/${name}`).sort(),
  );
});

Deno.test("the page of twilio-media shows a reply in its present words", async () => {
  // deno-lint-ignore no-explicit-any
  const document = openApi() as any;
  const { first } = document.paths["/twilio-media"].post.responses[200].content["text/xml"].examples;
  const page = await Deno.readTextFile(new URL("../../docs/functions/twilio-media.md", import.meta.url));
  assertStringIncludes(page, first.value);
});
