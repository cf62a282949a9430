/** The zod schemas of requests and responses as OpenAPI components, each field described as its function's page does. */
import * as z from "zod";
import * as contracts from "../../../shared/contracts.ts";
import * as responses from "../../../shared/responses.ts";
import { fieldsOnPage } from "./pages.ts";

/** JSON Schema, as far as it is looked into here. */
export interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  [keyword: string]: unknown;
}

/** Whose page describes the fields of which schema. */
const DESCRIBED: [schema: string, page: string, section: "Request" | "Response"][] = [
  ["UploadUrlRequest", "upload-url", "Request"],
  ["UploadUrlResponse", "upload-url", "Response"],
  ["SignedUrlRequest", "signed-url", "Request"],
  ["SignedUrl", "signed-url", "Response"],
  ["OpenReportRequest", "open-report", "Request"],
  ["OpenedMessage", "open-report", "Response"],
  ["MediaWorkerResponse", "media-worker", "Response"],
  ["TwilioMessage", "twilio-media", "Request"],
];

/** Every component. Throws where a page and its schema differ in their fields. */
export function componentSchemas(): Record<string, Schema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries({ ...contracts, ...responses })) {
    if (schema instanceof z.core.$ZodType) registry.add(schema, { id });
  }
  const made = z.toJSONSchema(registry, { io: "input", uri: (id) => `#/components/schemas/${id}` });
  const schemas: Record<string, Schema> = { TwilioMessage };
  for (const [id, { $schema: _, $id: __, ...schema }] of Object.entries(made.schemas)) {
    schemas[id] = schema as Schema;
  }
  for (const [id, page, section] of DESCRIBED) describe(schemas[id]!, page, section);
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => a < b ? -1 : 1));
}

function describe(schema: Schema, page: string, section: "Request" | "Response"): void {
  const fields = fieldsOnPage(page, section);
  const unused = new Set(fields.keys());
  for (const { properties = {}, patternProperties = {} } of [schema, ...schema.anyOf ?? []]) {
    for (
      const [name, property] of Object.entries({ ...properties, ...patternProperties as typeof properties })
    ) {
      const field = name.replace(/^\^(\w+)\[0-9\]\$$/, "$1{n}");
      const description = fields.get(field);
      if (!description) throw new Error(`docs/functions/${page}.md does not describe ${field}`);
      unused.delete(field);
      property.description = description;
    }
  }
  if (unused.size > 0) {
    throw new Error(`docs/functions/${page}.md describes what is not there: ${[...unused].join(", ")}`);
  }
}

/** Of Twilio's parameters those that are read (shared/twilio/message.ts); further ones come unannounced. */
const TwilioMessage: Schema = {
  type: "object",
  properties: {
    MessageSid: { type: "string" },
    AccountSid: { type: "string", minLength: 1 },
    From: { type: "string" },
    ExternalUserId: { type: "string" },
    ParentExternalUserId: { type: "string" },
    To: { type: "string", minLength: 1 },
    Body: { type: "string", default: "" },
    Latitude: { type: "string" },
    Longitude: { type: "string" },
    Label: { type: "string" },
    Address: { type: "string" },
    ButtonText: { type: "string" },
    InteractiveData: { type: "string" },
    OptOutType: { type: "string" },
    NumMedia: { type: "integer", default: 0 },
  },
  patternProperties: {
    "^MediaUrl[0-9]$": { type: "string" },
    "^MediaContentType[0-9]$": { type: "string" },
  },
  required: ["AccountSid", "To"],
};
