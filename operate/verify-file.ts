// Whether a file in hand is one that the system took in, and which: npm run verify-file -- [--env-file FILE] FILE…
// Exit status: 0 every file is known, 1 one is not, 2 it could not be checked.
import { digest } from "../shared/storage/hash.ts";
import { connectProject, operatorEnvironment, readOptions, runCommand, UsageError } from "./project.ts";

const USAGE =
  `npm run verify-file -- [--env-file FILE] FILE…    (SUPABASE_URL and SUPABASE_SECRET_KEY name the project: from the given
FILE or the environment, else from .env.production)`;

interface KnownFile {
  file_id: string;
  filename: string;
  content_type: string;
  file_size: number;
  source: string;
  message_sid: string | null;
  stored_at: string;
  municipalities: { name: string };
}

await runCommand(async (args) => {
  const { file, paths } = parse(args);
  const { tables } = connectProject(operatorEnvironment(file));
  let unknown = 0;
  for (const path of paths) {
    const { sha256, file_size } = await hashOf(path);
    console.log(`${path}: ${file_size} bytes, SHA-256 ${sha256}`);
    const { data, error } = await tables.from("media_attachments")
      .select(
        "file_id, filename, content_type, file_size, source, message_sid, stored_at, municipalities!media_attachments_tenant_id_fkey (name)",
      )
      .eq("sha256", sha256).eq("status", "stored").order("stored_at");
    if (error) throw error;
    for (const file of data as unknown as KnownFile[]) {
      const origin = file.source === "whatsapp" ? `WhatsApp message ${file.message_sid}` : "upload";
      console.log(
        `  is file ${file.file_id} of ${file.municipalities.name}: ${file.filename}, ${file.content_type}, ` +
          `by ${origin}, stored ${file.stored_at}`,
      );
    }
    if (data.length === 0) {
      unknown++;
      console.log("  was never taken in, or was changed since");
    }
  }
  return unknown ? 1 : 0;
});

function parse(args: string[]): { file?: string; paths: string[] } {
  const { values, positionals: paths } = readOptions(USAGE, args, { "env-file": { type: "string" } }, true);
  if (paths.length === 0) throw new UsageError(USAGE);
  return { file: values["env-file"], paths };
}

async function hashOf(path: string): Promise<{ sha256: string; file_size: number }> {
  try {
    return await digest((await Deno.open(path)).readable);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}\n${USAGE}`);
  }
}
