// `npm run openapi`: docs/openapi.json, the four functions as OpenAPI 3.1. Schemas are those of shared/contracts.ts and
// shared/responses.ts, words those of docs/errors.md and docs/functions/.
import { codesOnPage, documentedErrors, purposeOnPage } from "./openapi/pages.ts";
import { componentSchemas } from "./openapi/schemas.ts";
import { CODES } from "../../shared/failures.ts";
import { REPLIES } from "../../shared/twilio/replies.ts";
import project from "../../package.json" with { type: "json" };

const root = new URL("../..", import.meta.url).pathname;

/** Where the document stands in the repository. */
export const FILE = `${root}docs/openapi.json`;

type Json = Record<string, unknown>;

const TENANT = "a1b0de1a-0000-4000-8000-000000000001";
const FILE_ID = "0c1e3b52-6f5c-4e57-9f0a-5a0f3f6f2b11";
const PATH = `${TENANT}/${FILE_ID}/burst-pipe.jpg`;
const STORAGE = "https://YOUR_PROJECT.supabase.co/storage/v1/object";

const SIGNED = {
  bucket: "evidence",
  path: PATH,
  file_id: FILE_ID,
  signed_url: `${STORAGE}/sign/evidence/${PATH}?token=eyJ`,
  expires_at: "2026-11-23T11:00:00.000Z",
};

/** One function, as far as it is its own. */
interface Operation {
  name: string;
  summary: string;
  security: Json[];
  parameters?: Json[];
  requestBody?: Json;
  /** The content of its 202, where it answers before the work is done. */
  accepted?: Json;
  /** The content of its 200. */
  answer: Json;
}

const user = [{ userToken: [] }];

const OPERATIONS: Operation[] = [
  {
    name: "upload-url",
    summary: "Where to upload a file",
    security: user,
    requestBody: json("UploadUrlRequest", {
      photo: {
        purpose: "evidence",
        filename: "burst-pipe.jpg",
        content_type: "image/jpeg",
        file_size: 176716,
        ticket_id: "5f0b7f8e-0000-4000-8000-000000000001",
      },
    }),
    answer: json("UploadUrlResponse", {
      photo: {
        bucket: "evidence",
        path: PATH,
        file_id: FILE_ID,
        token: "eyJ",
        signed_url: `${STORAGE}/upload/sign/evidence/${PATH}?token=eyJ`,
        expires_at: "2026-11-23T12:00:00.000Z",
        max_bytes: 52428800,
      },
    }),
  },
  {
    name: "signed-url",
    summary: "URLs to look at files",
    security: user,
    requestBody: json("SignedUrlRequest", {
      one: { file_id: FILE_ID },
      many: {
        files: [{ file_id: FILE_ID }, { bucket: "evidence", path: PATH }],
        expires_in: 600,
        download: true,
      },
    }),
    answer: json("SignedUrlResponse", {
      one: SIGNED,
      many: { files: [SIGNED, { error: { code: "not_found", message: "Not found." } }] },
    }),
  },
  {
    name: "open-report",
    summary: "What residents wrote",
    security: user,
    requestBody: json("OpenReportRequest", {
      ticket: { ticket_id: "5f0b7f8e-0000-4000-8000-000000000001" },
      some: { message_sids: ["MM0123456789abcdef0123456789abcdef"], include_sender: true },
    }),
    answer: json("OpenReportResponse", {
      ticket: {
        messages: [{
          message_sid: "MM0123456789abcdef0123456789abcdef",
          received_at: "2026-11-23T11:00:00.000000+00:00",
          kind: "text",
          text: "Please help",
        }],
      },
    }),
  },
  {
    name: "twilio-media",
    summary: "Twilio's webhook for incoming messages",
    security: [{ twilioSignature: [] }],
    parameters: [{
      name: "ticket_id",
      in: "query",
      description: "The ticket that messages to this URL belong to; part of what is signed.",
      schema: { type: "string", format: "uuid" },
    }],
    requestBody: content(
      "application/x-www-form-urlencoded",
      { $ref: "#/components/schemas/TwilioMessage" },
      {
        photo: {
          MessageSid: "MM0123456789abcdef0123456789abcdef",
          AccountSid: "AC0123456789abcdef0123456789abcdef",
          From: "whatsapp:+27821234567",
          To: "whatsapp:+27130000001",
          Body: "A pipe has burst",
          NumMedia: 1,
          MediaUrl0:
            "https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/" +
            "MM0123456789abcdef0123456789abcdef/Media/ME0123456789abcdef0123456789abcdef",
          MediaContentType0: "image/jpeg",
        },
      },
    ),
    answer: content("text/xml", { type: "string", description: "TwiML: the reply that Twilio sends." }, {
      first: twiml(
        `${REPLIES.en.received} ${REPLIES.en.reference.replace("{reference}", "TKT-20261123-8K2Q7D")}`,
      ),
      later: twiml(REPLIES.en.received),
    }),
  },
  {
    name: "media-worker",
    summary: "A round of the work that is due",
    security: [{ workerKey: [] }],
    parameters: [{
      name: "Prefer",
      in: "header",
      description: "`wait=SECONDS` (RFC 7240): answer when the round is done, if that is sooner.",
      schema: { type: "string" },
    }],
    accepted: json("MediaWorkerAccepted", {
      begun: { request_id: "7c0e4f0a-0000-4000-8000-000000000001" },
    }),
    answer: json("MediaWorkerResponse", { round: { done: 3, failed: 0 } }),
  },
];

const DESCRIPTION = `Takes in, keeps and hands out citizens' evidence. All functions answer POST and OPTIONS.

Errors have one shape, and their codes are stable; every answer carries \`x-request-id\`, which is in the log, and
\`cache-control: no-store\`. \`upload-url\`, \`signed-url\` and \`open-report\` answer browsers of the origins in \`ALLOWED_ORIGINS\` (CORS: OPTIONS
answers 204, and \`x-request-id\` is exposed); the other two are called by servers only.`;

/** The document. Throws where pages, schemas and codes differ. */
export function openApi(): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "Citizen evidence on Supabase",
      version: project.version,
      description: DESCRIPTION,
      license: { name: "Apache License 2.0", identifier: project.license },
    },
    servers: [
      {
        url: "https://{project_ref}.supabase.co/functions/v1",
        description: "A Supabase project",
        variables: { project_ref: { default: "YOUR_PROJECT", description: "The project's reference id." } },
      },
      { url: "http://127.0.0.1:54321/functions/v1", description: "The local Supabase (`npm start`)" },
    ],
    paths: Object.fromEntries(
      OPERATIONS.map((operation) => [`/${operation.name}`, { post: post(operation) }]),
    ),
    components: {
      schemas: componentSchemas(),
      headers: {
        RequestId: {
          description: "The request's id in the log.",
          schema: { type: "string", format: "uuid" },
        },
      },
      securitySchemes: {
        userToken: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description:
            "A signed-in user's access token, with tenant_id and role in its app_metadata. supabase-js sends it by itself.",
        },
        workerKey: {
          type: "apiKey",
          in: "header",
          name: "apikey",
          description:
            "MEDIA_WORKER_KEY, or a secret key of the project (`sb_secret_…`); a legacy service_role key may come as Bearer.",
        },
        twilioSignature: {
          type: "apiKey",
          in: "header",
          name: "X-Twilio-Signature",
          description:
            "Base64 of HMAC-SHA1 over the webhook's URL and parameters, with the account's auth token.",
        },
      },
    },
  };
}

function post({ name, summary, security, parameters, requestBody, accepted, answer }: Operation): Json {
  return {
    operationId: name,
    summary,
    description: purposeOnPage(name),
    security,
    ...parameters && { parameters },
    ...requestBody && { requestBody: { required: true, ...requestBody } },
    responses: {
      200: { description: "Done.", headers: HEADERS, ...answer },
      ...accepted && { 202: { description: "Begun; it goes on.", headers: HEADERS, ...accepted } },
      ...errorResponses(name),
    },
  };
}

const HEADERS = { "x-request-id": { $ref: "#/components/headers/RequestId" } };

/** A response for each status that the function answers with, its codes named and explained. */
function errorResponses(name: string): Json {
  const documented = documentedErrors();
  const differing = new Set(documented.map(({ code, status }) => `${code} ${status}`))
    .symmetricDifference(new Set(Object.entries(CODES).map(([code, { status }]) => `${code} ${status}`)));
  if (differing.size > 0) {
    throw new Error(`docs/errors.md and shared/failures.ts differ: ${[...differing].join(", ")}`);
  }
  const own = documented.filter(({ functions }) => functions.includes(name));
  const unlike = new Set(own.map(({ code }) => code)).symmetricDifference(new Set(codesOnPage(name)));
  if (unlike.size > 0) {
    throw new Error(`docs/functions/${name}.md and docs/errors.md differ: ${[...unlike].join(", ")}`);
  }
  const byStatus = Map.groupBy(own, ({ status }) => status);
  return Object.fromEntries([...byStatus].map(([status, errors]) => [status, {
    description: errors.map(({ code, when }) => `\`${code}\`: ${when}`).join("\n\n"),
    headers: {
      ...HEADERS,
      ...status === CODES.method_not_allowed.status && { allow: { schema: { const: "POST, OPTIONS" } } },
    },
    ...content("application/json", {
      allOf: [
        { $ref: "#/components/schemas/ErrorResponse" },
        {
          type: "object",
          properties: {
            error: { type: "object", properties: { code: { enum: errors.map(({ code }) => code) } } },
          },
        },
      ],
    }, {}),
  }]));
}

function json(schema: string, examples: Json): Json {
  return content("application/json", { $ref: `#/components/schemas/${schema}` }, examples);
}

function content(type: string, schema: Json, examples: Json): Json {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }]);
  return {
    content: { [type]: { schema, ...named.length > 0 && { examples: Object.fromEntries(named) } } },
  };
}

function twiml(text: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Message>${text}</Message></Response>`;
}

/** The file's text. */
export function openApiText(): string {
  return JSON.stringify(openApi(), null, 2) + "\n";
}

if (import.meta.main) {
  await Deno.writeTextFile(FILE, openApiText());
  console.log("docs/openapi.json is written");
}
