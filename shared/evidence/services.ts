/** What the domain works with. A function makes its own once per worker, of the settings it needs. */
import { DatabaseClient } from "../platform/database.ts";
import type { Fernet } from "../platform/fernet.ts";
import { publishableProject, secretProject } from "../platform/project.ts";
import { optional, required, type Variables } from "../platform/settings.ts";
import { StorageService } from "../storage/service.ts";
import { type Credentials, credentialsFrom } from "../twilio/media.ts";
import { CheckpointSigner } from "./checkpoint.ts";
import type { CustodySettings } from "./custody.ts";
import { sealerOf } from "./sealer.ts";

/** For people: each call is made with the caller's token, so that row-level security decides. */
export interface CallerServices {
  database: DatabaseClient;
  storage: StorageService;
}

/** For reading: URLs of GBV evidence are signed by the service. */
export interface ReadingServices extends CallerServices {
  serviceStorage: StorageService;
}

/** For the system: bypasses row-level security. */
export interface SystemServices {
  database: DatabaseClient;
  storage: StorageService;
  sealer: Fernet;
  twilio: TwilioAccount;
}

/** For the media worker. */
export interface WorkerServices extends SystemServices {
  custody: CustodySettings;
}

/** How files are fetched from Twilio. */
export interface TwilioAccount {
  credentials: Credentials;
  /** Whether its copy goes once ours is verified. */
  deletesMedia: boolean;
}

export function callerServices(variables: Variables): CallerServices {
  const project = publishableProject(variables);
  return {
    database: DatabaseClient.of(project),
    storage: new StorageService(project, required(variables, "PUBLIC_SUPABASE_URL")),
  };
}

export function readingServices(variables: Variables): ReadingServices {
  return {
    ...callerServices(variables),
    serviceStorage: new StorageService(
      secretProject(variables),
      required(variables, "PUBLIC_SUPABASE_URL"),
    ),
  };
}

export async function systemServices(variables: Variables): Promise<SystemServices> {
  const project = secretProject(variables);
  required(variables, "TWILIO_ACCOUNT_SID");
  required(variables, "TWILIO_AUTH_TOKEN");
  return {
    database: DatabaseClient.of(project),
    storage: new StorageService(project, project.url),
    sealer: await sealerOf(variables),
    twilio: {
      credentials: credentialsFrom(variables),
      deletesMedia: optional(variables, "TWILIO_DELETE_MEDIA") ?? false,
    },
  };
}

export async function workerServices(variables: Variables): Promise<WorkerServices> {
  const key = optional(variables, "CUSTODY_SIGNING_KEY");
  return {
    ...await systemServices(variables),
    custody: {
      signer: key === undefined ? undefined : await CheckpointSigner.of(key),
      timestampUrls: optional(variables, "TIMESTAMP_URLS") ?? [],
      readBackDays: optional(variables, "READ_BACK_DAYS") ?? 90,
    },
  };
}
