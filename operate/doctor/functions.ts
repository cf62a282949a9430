/** Whether the functions answer, and have the secrets they need. */
import { authHeaders } from "../../shared/platform/project.ts";
import { REQUIRED_SECRETS } from "../../shared/platform/settings.ts";
import { type Probe, type ProbedProject, probeFunctions } from "../probe.ts";
import type { Finding, Outcome } from "./findings.ts";

const FUNCTIONS = ["upload-url", "signed-url", "open-report", "twilio-media", "media-worker"] as const;
const PROBLEM_OF = {
  "upload-url": "upload_url",
  "signed-url": "signed_url",
  "open-report": "open_report",
  "twilio-media": "twilio_media",
  "media-worker": "media_worker",
} as const;

/** Every function is asked in ways that leave no trace: an outcome for each. */
export async function functions(project: ProbedProject): Promise<[name: string, outcome: Outcome][]> {
  const probes = await probeFunctions({ ...project, readOnly: true });
  return FUNCTIONS.map((name) => {
    const own = probes.filter((probe) => probe.name.startsWith(`${name} `));
    return [name, {
      found: own.map(({ found }) => found).join(", "),
      findings: own.filter(({ ok }) => !ok).map((probe) => findingOf(PROBLEM_OF[name], probe)),
    }];
  });
}

function findingOf(problem: Finding["problem"], { name, found, todo }: Probe): Finding {
  return { problem, found: `${name}: ${found}`, todo, unknown: found === "not tried" };
}

/** Whether a key is a secret key of the project at `url`: it may read a table that users may not. */
async function isSecretKey(url: string, key: string): Promise<boolean> {
  const response = await fetch(`${url}/rest/v1/inbound_messages?select=message_sid&limit=0`, {
    headers: authHeaders({ url, key }),
    signal: AbortSignal.timeout(30_000),
  });
  await response.body?.cancel();
  if (response.status >= 500) throw new Error(`the Data API answered ${response.status}`);
  return response.ok;
}

/** The key that this command was given is one that lets in. */
export async function operatorKey({ url, secretKey }: ProbedProject): Promise<Outcome> {
  return {
    found: "SUPABASE_SECRET_KEY belongs to this project",
    findings: await isSecretKey(url, secretKey)
      ? []
      : [{ problem: "key_refused", found: "SUPABASE_SECRET_KEY is not a secret key of this project" }],
  };
}

/** The secrets' names, by the Management API; their values never leave it. */
export async function secretNames(apiUrl: string, ref: string, accessToken: string): Promise<Outcome> {
  const response = await fetch(new URL(`/v1/projects/${ref}/secrets`, apiUrl), {
    headers: { authorization: `Bearer ${accessToken}` },
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) {
    await response.body?.cancel();
    const found = `the Management API answered ${response.status}`;
    return { found, findings: [{ problem: "secrets_unknown", found, unknown: true }] };
  }
  const names = new Set((await response.json() as { name: string }[]).map(({ name }) => name));
  return {
    found: `all ${REQUIRED_SECRETS.length} are set`,
    findings: REQUIRED_SECRETS.filter((name) => !names.has(name)).map((name) => ({
      problem: "secret_missing",
      found: `${name} is not set`,
      todo:
        `put it into .env.production (README, Configuration), then npm run deploy -- --project-ref ${ref}`,
    })),
  };
}
