// Municipalities, and which WhatsApp or SMS number is whose; npm run numbers without more says how. Each change is one
// transaction with its record in the custody log. Exit status: 0 done, or nothing to do; 2 refused, or it did not work.
import type postgres from "postgres";
import { withoutChannel } from "../shared/twilio/message.ts";
import { confirmByTyping, readOptions, runCommand, UsageError } from "./project.ts";
import { columns, municipalityOf, OPTIONS, refuseUnprintable, Registry, word } from "./registry.ts";

const USAGE = `npm run numbers -- list
npm run numbers -- add NUMBER --municipality SLUG [--sensitive]
npm run numbers -- remove NUMBER
npm run numbers -- municipality add SLUG --name NAME [--language CODE]

  NUMBER         with its country, as +27130000001
  --sensitive    a number for GBV alone: only admins and police liaison see what is written to it. Asks you to type the number
  --language     of the replies: en, zu, af or another official language's ISO 639 code; en unless given
  --yes          do not ask
  --dry-run      show what would change, and change nothing
  --by NAME      who runs this, for the record; else this machine's login
  --env-file FILE    SUPABASE_DB_URL; .env.production unless given`;

interface Request {
  number: string;
  municipality?: string;
  sensitive: boolean;
  name?: string;
  language: string;
  yes: boolean;
}

/** The command. */
async function numbers(args: string[]): Promise<number> {
  const { values, positionals } = readOptions(USAGE, args, {
    ...OPTIONS,
    sensitive: { type: "boolean", default: false },
    name: { type: "string" },
    language: { type: "string", default: "en" },
    yes: { type: "boolean", default: false },
  }, true);
  const { municipality, sensitive, name, language, yes } = values;
  const open = (work: (registry: Registry) => Promise<number>) => Registry.open(values, work);
  const request = { number: "", municipality, sensitive, name, language, yes };
  const [verb, ...rest] = positionals;
  switch (`${verb} ${rest.length}`) {
    case "list 0":
      return await open(list);
    case "add 1":
      request.number = numberIn(rest[0]!);
      return await open((registry) => add(registry, request));
    case "remove 1":
      // also one that only the database's own check has passed: an alphanumeric sender, a short code
      request.number = withoutChannel(rest[0]!);
      return await open((registry) => remove(registry, request));
    case "municipality 2":
      if (rest[0] === "add") return await open((registry) => addMunicipality(registry, rest[1]!, request));
  }
  throw new UsageError(USAGE);
}

/** A number as Twilio writes it in `To` (E.164), from how people write one. */
function numberIn(text: string): string {
  const number = withoutChannel(text).replaceAll(/[ ().-]/g, "");
  // South African numbers have no 0 after the country
  if (/^\+(?!270)[1-9][0-9]{6,14}$/.test(number)) return number;
  throw new UsageError(`${word(text)} is no number with its country, as +27130000001.`);
}

async function list(registry: Registry): Promise<number> {
  const rows = await registry.tried((tx) =>
    tx<{ slug: string; name: string; language: string; number: string | null; is_sensitive: boolean }[]>`
    select m.slug, m.name, m.language, n.number, n.is_sensitive
    from public.municipalities m left join public.whatsapp_numbers n on n.tenant_id = m.id
    order by m.slug, n.is_sensitive, n.number`
  );
  const cells = rows.map(({ slug, name, language, number, is_sensitive }) => [
    slug,
    word(name),
    language,
    number ?? "no number",
    number === null ? "" : kindOf(is_sensitive),
  ]);
  for (const line of columns(cells)) console.log(line);
  if (rows.length === 0) {
    console.log("no municipality yet: npm run numbers -- municipality add SLUG --name NAME");
  }
  return 0;
}

function kindOf(sensitive: boolean): string {
  return sensitive
    ? "for GBV: admins and police liaison only"
    : "general: all staff see what is written to it";
}

async function add(registry: Registry, request: Request): Promise<number> {
  const { number, municipality, sensitive } = request;
  if (municipality === undefined) throw new UsageError(USAGE);
  const work = async (tx: postgres.TransactionSql) => {
    const place = await municipalityOf(tx, municipality);
    const there = await ownerOf(tx, number);
    if (there?.tenant_id === place.id && there.is_sensitive === sensitive) return { place, added: false };
    if (there) {
      throw new UsageError(
        `${number} is a number of ${word(there.name)} already, ${kindOf(there.is_sensitive)}. ` +
          `To make it another: npm run numbers -- remove ${number}, then this again.`,
      );
    }
    await tx`insert into public.whatsapp_numbers (number, tenant_id, is_sensitive)
      values (${number}, ${place.id}, ${sensitive})`;
    await registry.record(tx, place.id, "number_added", { number, is_sensitive: sensitive });
    return { place, added: true };
  };
  const { place, added } = await registry.tried(work);
  if (!added) {
    console.log(`${number} is a number of ${word(place.name)} already, ${kindOf(sensitive)}`);
    return 0;
  }
  if (sensitive) {
    confirm(
      registry,
      request,
      `Whatever is written to ${number} becomes a GBV report of ${
        word(place.name)
      }: field workers and managers never see ` +
        "it. Type the number to go on:",
    );
  }
  await registry.change(work);
  return registry.conclude(`${number}: nobody's → ${word(place.name)}, ${kindOf(sensitive)}`, [
    ...sensitive ? [] : ["if it is for GBV alone, remove it at once and add it again with --sensitive"],
    "set its webhook at Twilio: docs/deploy.md, step 4",
  ]);
}

async function remove(registry: Registry, request: Request): Promise<number> {
  const { number } = request;
  const work = async (tx: postgres.TransactionSql) => {
    const there = await ownerOf(tx, number) ?? await ownerOf(tx, number.replaceAll(/[ ().-]/g, ""));
    if (!there) {
      throw new UsageError(
        `${word(number)} is no municipality's number. All there are: npm run numbers -- list`,
      );
    }
    await tx`delete from public.whatsapp_numbers where number = ${there.number}`;
    await registry.record(tx, there.tenant_id, "number_removed", {
      number: there.number,
      is_sensitive: there.is_sensitive,
    });
    return there;
  };
  const there = await registry.tried(work);
  if (there.is_sensitive) {
    confirm(
      registry,
      { ...request, number: there.number },
      `${there.number} is ${
        word(there.name)
      }'s number for GBV: reports to it would be lost. Type the number to go on:`,
    );
  }
  await registry.change(work);
  return registry.conclude(`${there.number}: ${word(there.name)} → nobody's`, [
    "what was written to it stays; what is written to it from now on is refused, so empty its webhook at Twilio",
  ]);
}

interface Owned {
  number: string;
  tenant_id: string;
  is_sensitive: boolean;
  name: string;
}

async function ownerOf(tx: postgres.TransactionSql, number: string): Promise<Owned | undefined> {
  const [row] = await tx<Owned[]>`
    select n.number, n.tenant_id, n.is_sensitive, m.name
    from public.whatsapp_numbers n join public.municipalities m on m.id = n.tenant_id
    where n.number = ${number} for update of n`;
  return row;
}

/** A dry run asks nothing. */
function confirm({ dryRun }: Registry, { number, yes }: Request, question: string): void {
  if (!dryRun && !yes) confirmByTyping(question, number);
}

async function addMunicipality(
  registry: Registry,
  slug: string,
  { name, language }: Request,
): Promise<number> {
  if (name === undefined) throw new UsageError(USAGE);
  refuseUnprintable("--name", name, 200);
  await registry.change(async (tx) => {
    const [known] = await tx<{ name: string }[]>`select name from public.municipalities where slug = ${slug}`;
    if (known) throw new UsageError(`There is a municipality ${slug} already: ${word(known.name)}.`);
    const [made] = await tx<{ id: string }[]>`
      insert into public.municipalities (slug, name, language) values (${slug}, ${name}, ${language}) returning id`
      .catch((error: postgres.PostgresError) => {
        throw error.constraint_name === "municipalities_slug_check"
          ? new UsageError(`${word(slug)} is no slug: small letters, digits and hyphens, a letter first.`)
          : error.constraint_name === "municipalities_language_check"
          ? new UsageError(
            `${word(language)} is no code of an official language: af, en, zu, xh, st and so on.`,
          )
          : error;
      });
    await registry.record(tx, made!.id, "municipality_added", { slug, language });
  });
  return registry.conclude(`${slug}: new → ${word(name)}, replies in ${language}`);
}

await runCommand(numbers);
