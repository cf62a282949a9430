// Municipalities and their numbers by command: whose a message then is, who is refused what, and the record of each.
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { database } from "../support/functions.ts";
import { changesNothing, command, ownMunicipality, recorded } from "../support/operators.ts";
import { MUNICIPALITIES, service } from "../support/stack.ts";

/** A number that nobody has. */
const freshNumber = () => `+2710${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;

/** Where a message to the number would go. */
async function routeOf(number: string) {
  const { data, error } = await service.rpc("route_inbound_message", {
    channel: "whatsapp",
    channel_number: number,
    sender_refs: ["nobody"],
  });
  return error ? error.message : { tenant: data.tenant_id, sensitive: data.sensitive };
}

/** Types an answer at the command's question, as at a terminal. */
async function typing(answer: string, ...words: string[]): Promise<{ code: number; text: string }> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["-qec", `node run.mjs operate/numbers.ts ${quoted}`, "/dev/null"],
    cwd: new URL("../..", import.meta.url).pathname,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  let text = "";
  let asked = false;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (asked || !text.includes("Type the number to go on:")) continue;
    asked = true;
    await writer.write(new TextEncoder().encode(`${answer}\n`));
  }
  await writer.close().catch(() => {});
  return { code: (await child.status).code, text };
}

Deno.test("a number as people write it is the municipality's, and messages to it find it", async () => {
  const { id, slug } = await ownMunicipality();
  const number = freshNumber();
  const written = `whatsapp:${number.slice(0, 3)} (${number.slice(3, 5)}) ${number.slice(5, 8)}-${
    number.slice(8)
  }`;
  assertEquals(await routeOf(number), "not_found");
  const added = await command("numbers", "add", written, "--municipality", slug, "--by", "Ayanda Dube");
  assertEquals(added.code, 0, added.text);
  assertStringIncludes(added.text, `changed  ${number}: nobody's → Town of the test, general: all staff see`);
  assertStringIncludes(
    added.text,
    "if it is for GBV alone, remove it at once and add it again with --sensitive",
  );
  assertEquals(await routeOf(number), { tenant: id, sensitive: false });

  const again = await changesNothing(() => command("numbers", "add", number, "--municipality", slug));
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "is a number of Town of the test already");
  const listed = await command("numbers", "list");
  assertStringIncludes(listed.text, `${slug}  Town of the test`);
  assertMatch(listed.text, new RegExp(`\\${number} +general`));

  const removed = await command("numbers", "remove", written);
  assertEquals(removed.code, 0, removed.text);
  assertStringIncludes(removed.text, `changed  ${number}: Town of the test → nobody's`);
  assertEquals(await routeOf(number), "not_found");
  const records = await recorded(id);
  assertEquals(records.map(({ event, details, whole }) => ({ event, details, whole })), [
    { event: "number_added", details: { number, is_sensitive: false }, whole: true },
    { event: "number_removed", details: { number, is_sensitive: false }, whole: true },
  ]);
  assertEquals(records[0]!.operator, "Ayanda Dube, as postgres");
});

Deno.test("a number for GBV is added and removed only by who means it", async () => {
  const { id, slug } = await ownMunicipality();
  const number = freshNumber();
  const add = ["numbers", "add", number, "--municipality", slug, "--sensitive"];
  await changesNothing(async () => {
    const unasked = await command(...add);
    assertEquals(unasked.code, 2, unasked.text);
    assertStringIncludes(unasked.text, "add --yes to go ahead, or --dry-run");
    const mistyped = await typing(freshNumber(), ...add.slice(1));
    assertEquals(mistyped.code, 2, mistyped.text);
    assertStringIncludes(
      mistyped.text,
      "becomes a GBV report of Town of the test: field workers and managers never see it",
    );
    assertStringIncludes(mistyped.text, "Nothing was changed.");
  });
  const typed = await typing(number, ...add.slice(1));
  assertEquals(typed.code, 0, typed.text);
  assertEquals(await routeOf(number), { tenant: id, sensitive: true });

  await changesNothing(async () => {
    assertEquals((await command("numbers", "remove", number)).code, 2);
    assertEquals((await typing("yes", "remove", number)).code, 2);
    // not turned into a general one on the way
    const open = await command("numbers", "add", number, "--municipality", slug);
    assertEquals(open.code, 2, open.text);
    assertStringIncludes(open.text, "already, for GBV: admins and police liaison only. To make it another:");
  });
  assertEquals((await command("numbers", "remove", number, "--yes")).code, 0);
  assertEquals((await recorded(id)).map(({ event, details }) => [event, details.is_sensitive]), [
    ["number_added", true],
    ["number_removed", true],
  ]);
});

Deno.test("what is refused changes nothing, and says what to do", async () => {
  const { slug } = await ownMunicipality();
  const theirs = MUNICIPALITIES.polokwane.number;
  const to = ["--municipality", slug];
  const refusals: [words: string[], says: string][] = [
    [["add", "0130000001", ...to], "0130000001 is no number with its country, as +27130000001."],
    [["add", "+27 (0)13 000 0001", ...to], "is no number with its country"],
    [["add", "+27130000001x", ...to], "is no number with its country"],
    [["add", "+2713\u001b[2J0000001", ...to], "+2713\\u{1b}[2J0000001 is no number"],
    [["add", "+2713\u202e0000001", ...to], "+2713\\u{202e}0000001 is no number"],
    [["add", freshNumber(), "--municipality", "atlantis"], "There is no municipality atlantis. There is: "],
    [["add", freshNumber()], "npm run numbers -- list"],
    [["add", theirs, ...to], `${theirs} is a number of Polokwane Municipality already`],
    [["add", theirs, ...to, "--sensitive", "--yes"], "of Polokwane Municipality already"],
    [["remove", freshNumber()], "is no municipality's number. All there are: npm run numbers -- list"],
    [["remove"], "npm run numbers -- list"],
    [
      ["municipality", "add", "mbombela", "--name", "Again"],
      "There is a municipality mbombela already: City of Mbombela",
    ],
    [["municipality", "add", "No Slug", "--name", "X"], "No Slug is no slug: small letters"],
    [
      ["municipality", "add", "town-x", "--name", "X", "--language", "xx"],
      "xx is no code of an official language",
    ],
    [["municipality", "add", "town-x", "--name", "X\nY"], "--name must be 1 to 200 characters"],
    [["municipality", "add", "town-x", "--name", "\u202eX"], "--name must be 1 to 200 characters"],
    [["municipality", "add", "town-x"], "npm run numbers -- list"],
    [["municipality", "remove", "mbombela"], "npm run numbers -- list"],
    [[], "npm run numbers -- list"],
  ];
  await changesNothing(async () => {
    for (const [words, says] of refusals) {
      const { code, text } = await command("numbers", ...words);
      assertEquals(code, 2, `${words}: ${text}`);
      assertStringIncludes(text, says);
    }
  });
});

Deno.test("a dry run of each verb says what would change, asks nothing and changes nothing", async () => {
  const fresh = freshNumber();
  const runs: [words: string[], says: string][] = [
    [["add", fresh, "--municipality", "mbombela"], `${fresh}: nobody's → City of Mbombela, general`],
    [["add", fresh, "--municipality", "mbombela", "--sensitive"], "→ City of Mbombela, for GBV"],
    [["remove", MUNICIPALITIES.mbombela.number], "City of Mbombela → nobody's"],
    [["remove", MUNICIPALITIES.mbombela.gbvNumber], "City of Mbombela → nobody's"],
    [
      ["municipality", "add", "town-y", "--name", "Town Y", "--language", "zu"],
      "town-y: new → Town Y, replies in zu",
    ],
  ];
  await changesNothing(async () => {
    for (const [words, says] of runs) {
      const { code, text } = await command("numbers", ...words, "--dry-run");
      assertEquals(code, 0, text);
      assertStringIncludes(text, says);
      assertStringIncludes(text, "would change  ");
      assertStringIncludes(text, "nothing was changed. The same without --dry-run does it");
    }
    // and is refused what the real one is
    const words = ["municipality", "add", "town-y", "--name", "Town Y", "--language", "xx", "--dry-run"];
    assertEquals((await command("numbers", ...words)).code, 2);
  });
});

Deno.test("a municipality is added with its language, and its log begins with that", async () => {
  const slug = `town-${crypto.randomUUID()}`;
  const added = await command(
    "numbers",
    "municipality",
    "add",
    slug,
    "--name",
    "Dorp van die toets",
    "--language",
    "af",
  );
  assertEquals(added.code, 0, added.text);
  const [row] = await database((sql) =>
    sql`select id, name, language from public.municipalities where slug = ${slug}`
  );
  assertEquals([row!.name, row!.language], ["Dorp van die toets", "af"]);
  const records = await recorded(row!.id);
  assertEquals(records.map(({ event, details, whole }) => ({ event, details, whole })), [
    { event: "municipality_added", details: { slug, language: "af" }, whole: true },
  ]);
  const listed = await command("numbers", "list");
  assertStringIncludes(listed.text, `${slug}  Dorp van die toets`);
});
